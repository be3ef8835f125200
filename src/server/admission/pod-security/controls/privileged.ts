import { containersOf, counted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const bad = containersOf(pod).filter(({ securityContext }) => securityContext?.privileged);
  if (bad.length === 0) return undefined;
  const who = counted(
    "container",
    bad.map(({ name }) => name),
  );
  return { reason: "privileged", detail: `${who} must not set securityContext.privileged=true` };
};

export const privileged: Control = {
  id: "privileged",
  level: "baseline",
  versions: [{ since: 0, check }],
};
