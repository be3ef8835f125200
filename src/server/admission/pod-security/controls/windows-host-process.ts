import { containersOf, setters } from "../control.ts";
import type { Check, Control } from "../control.ts";

const check: Check = (pod) => {
  const isHost = (securityContext: any) => securityContext?.windowsOptions?.hostProcess === true;
  const bad = containersOf(pod).filter(({ securityContext }) => isHost(securityContext));
  const who = setters(
    isHost(pod.spec.securityContext),
    bad.map(({ name }) => name),
  );
  if (who.length === 0) return undefined;
  const what = "securityContext.windowsOptions.hostProcess=true";
  return { reason: "hostProcess", detail: `${who.join(" and ")} must not set ${what}` };
};

export const windowsHostProcess: Control = {
  id: "windowsHostProcess",
  level: "baseline",
  versions: [{ since: 0, check }],
};
