import { containersOf, counted, quoted, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

/** What a container runtime gives by default, less what reaches the network raw. */
const allowed = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

const check: Check = (pod) => {
  const bad: string[] = [];
  const added = new Set<string>();
  for (const { name, securityContext } of containersOf(pod)) {
    const beyond = (securityContext?.capabilities?.add ?? []).filter(
      (one: string) => !allowed.has(one),
    );
    if (beyond.length > 0) bad.push(name);
    for (const one of beyond) added.add(one);
  }
  if (bad.length === 0) return undefined;
  const what = quoted(sorted(added));
  return {
    reason: "non-default capabilities",
    detail: `${counted("container", bad)} must not include ${what} in securityContext.capabilities.add`,
  };
};

export const capabilitiesBaseline: Control = {
  id: "capabilities_baseline",
  level: "baseline",
  versions: [{ since: 0, check }],
};
