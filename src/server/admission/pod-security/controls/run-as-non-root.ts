import { containersOf, counted, exceptInUserNamespace, setters } from "../control.ts";
import type { Check, Control } from "../control.ts";

const reason = "runAsNonRoot != true";

const check: Check = (pod) => {
  const ofPod = pod.spec.securityContext?.runAsNonRoot ?? undefined;
  const asked = containersOf(pod).map(({ name, securityContext }) => ({
    name,
    value: securityContext?.runAsNonRoot ?? undefined,
  }));
  const namesWith = (value: unknown) =>
    asked.filter((one) => one.value === value).map(({ name }) => name);
  const who = setters(ofPod === false, namesWith(false));
  if (who.length > 0) {
    return {
      reason,
      detail: `${who.join(" and ")} must not set securityContext.runAsNonRoot=false`,
    };
  }
  const silent = ofPod ? [] : namesWith(undefined);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${counted("container", silent)} must set securityContext.runAsNonRoot=true`,
  };
};

export const runAsNonRoot: Control = {
  id: "runAsNonRoot",
  level: "restricted",
  versions: [
    { since: 0, check },
    { since: 35, check: exceptInUserNamespace(check) },
  ],
};
