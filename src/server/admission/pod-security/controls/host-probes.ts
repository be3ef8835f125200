// A probe or a hook that names a host makes the node's agent ask whatever its author wants asked.
import { containersOf, counted, plural, quoted, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const handlersOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: any) => [
  livenessProbe,
  readinessProbe,
  startupProbe,
  lifecycle?.postStart,
  lifecycle?.preStop,
];

const check: Check = (pod) => {
  const bad = new Set<string>();
  const hosts = new Set<string>();
  for (const container of containersOf(pod)) {
    for (const handler of handlersOf(container)) {
      for (const host of [handler?.httpGet?.host, handler?.tcpSocket?.host]) {
        if (!host) continue;
        bad.add(container.name);
        hosts.add(host);
      }
    }
  }
  if (bad.size === 0) return undefined;
  const uses = bad.size === 1 ? "uses" : "use";
  const what = `${plural("probe or lifecycle host", hosts.size)} ${quoted(sorted(hosts))}`;
  return {
    reason: "probe or lifecycle host",
    detail: `${counted("container", sorted(bad))} ${uses} ${what}`,
  };
};

export const hostProbes: Control = {
  id: "hostProbesAndHostLifecycle",
  level: "baseline",
  versions: [{ since: 34, check }],
};
