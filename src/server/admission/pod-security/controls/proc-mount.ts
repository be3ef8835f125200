import { containersOf, counted, exceptInUserNamespace, quoted, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const bad: string[] = [];
  const types = new Set<string>();
  for (const { name, securityContext } of containersOf(pod)) {
    const type = securityContext?.procMount;
    if (type === undefined || type === null || type === "Default") continue;
    bad.push(name);
    types.add(type);
  }
  if (bad.length === 0) return undefined;
  const what = quoted(sorted(types));
  return {
    reason: "procMount",
    detail: `${counted("container", bad)} must not set securityContext.procMount to ${what}`,
  };
};

export const procMount: Control = {
  id: "procMount",
  level: "baseline",
  versions: [
    { since: 0, check },
    { since: 35, check: exceptInUserNamespace(check) },
  ],
};

/** What baseline let go in 1.35 is still restricted. */
export const procMountRestricted: Control = {
  id: "procMount_restricted",
  level: "restricted",
  replaces: "procMount",
  versions: [{ since: 35, check }],
};
