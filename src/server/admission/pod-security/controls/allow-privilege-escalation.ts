import { containersOf, counted, exceptOnWindows } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const bad = containersOf(pod).filter(
    ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false,
  );
  if (bad.length === 0) return undefined;
  const who = counted(
    "container",
    bad.map(({ name }) => name),
  );
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${who} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

export const allowPrivilegeEscalation: Control = {
  id: "allowPrivilegeEscalation",
  level: "restricted",
  versions: [
    { since: 8, check },
    { since: 25, check: exceptOnWindows(check) },
  ],
};
