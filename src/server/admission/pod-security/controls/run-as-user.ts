import { containersOf, exceptInUserNamespace, setters } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const isRoot = (securityContext: any) => securityContext?.runAsUser === 0;
  const bad = containersOf(pod).filter(({ securityContext }) => isRoot(securityContext));
  const who = setters(
    isRoot(pod.spec.securityContext),
    bad.map(({ name }) => name),
  );
  if (who.length === 0) return undefined;
  return { reason: "runAsUser=0", detail: `${who.join(" and ")} must not set runAsUser=0` };
};

export const runAsUser: Control = {
  id: "runAsUser",
  level: "restricted",
  versions: [
    { since: 23, check },
    { since: 35, check: exceptInUserNamespace(check) },
  ],
};
