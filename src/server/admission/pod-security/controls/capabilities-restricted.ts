import { containersOf, counted, exceptOnWindows, quoted, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const keeping: string[] = [];
  const adding: string[] = [];
  const added = new Set<string>();
  for (const { name, securityContext } of containersOf(pod)) {
    const { add = [], drop = [] } = securityContext?.capabilities ?? {};
    if (!drop.includes("ALL")) keeping.push(name);
    const beyond = add.filter((one: string) => one !== "NET_BIND_SERVICE");
    if (beyond.length > 0) adding.push(name);
    for (const one of beyond) added.add(one);
  }
  const details: string[] = [];
  if (keeping.length > 0) {
    const who = counted("container", keeping);
    details.push(`${who} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (adding.length > 0) {
    const what = quoted(sorted(added));
    const who = counted("container", adding);
    details.push(`${who} must not include ${what} in securityContext.capabilities.add`);
  }
  if (details.length === 0) return undefined;
  return { reason: "unrestricted capabilities", detail: details.join("; ") };
};

export const capabilitiesRestricted: Control = {
  id: "capabilities_restricted",
  level: "restricted",
  replaces: "capabilities_baseline",
  versions: [
    { since: 22, check },
    { since: 25, check: exceptOnWindows(check) },
  ],
};
