import { containersOf, plural, quoted, setters, sorted } from "../control.ts";
import type { Check, Control } from "../control.ts";

const annotationPrefix = "container.apparmor.security.beta.kubernetes.io/";

const allowedTypes = new Set(["RuntimeDefault", "Localhost"]);

const allowedAnnotation = (value: string) =>
  value === "" || value === "runtime/default" || value.startsWith("localhost/");

const check: Check = (pod) => {
  const values = new Set<string>();
  const isBad = (securityContext: any) => {
    const profile = securityContext?.appArmorProfile;
    if (!profile || allowedTypes.has(profile.type)) return false;
    values.add(profile.type ?? "");
    return true;
  };
  const who = setters(
    isBad(pod.spec.securityContext),
    containersOf(pod)
      .filter(({ securityContext }) => isBad(securityContext))
      .map(({ name }) => name),
  );
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(annotationPrefix) && !allowedAnnotation(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const all = [...sorted(values), ...sorted(annotations)];
  if (annotations.length > 0) who.push(plural("annotation", annotations.length));
  if (who.length === 0) return undefined;
  return {
    reason: plural("forbidden AppArmor profile", all.length),
    detail: `${who.join(" and ")} must not set AppArmor profile type to ${quoted(all)}`,
  };
};

export const appArmorProfile: Control = {
  id: "appArmorProfile",
  level: "baseline",
  versions: [{ since: 0, check }],
};
