import { containersOf, counted, plural, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const bad: string[] = [];
  const ports = new Set<string>();
  for (const container of containersOf(pod)) {
    const taken = (container.ports ?? []).filter(({ hostPort }: any) => hostPort);
    if (taken.length > 0) bad.push(container.name);
    for (const { hostPort } of taken) ports.add(String(hostPort));
  }
  if (bad.length === 0) return undefined;
  const uses = bad.length === 1 ? "uses" : "use";
  const what = `${plural("hostPort", ports.size)} ${sorted(ports).join(", ")}`;
  return { reason: "hostPort", detail: `${counted("container", bad)} ${uses} ${what}` };
};

export const hostPorts: Control = {
  id: "hostPorts",
  level: "baseline",
  versions: [{ since: 0, check }],
};
