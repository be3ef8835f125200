import {
  containersOf,
  counted,
  exceptOnWindows,
  plural,
  quoted,
  setters,
  sorted,
} from "../control.ts";
import type { Check, Control, PodLike } from "../control.ts";

const reason = "seccompProfile";
const podAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
const containerAnnotation = "container.seccomp.security.alpha.kubernetes.io/";

const allowedAnnotation = (value: string) =>
  value === "runtime/default" || value === "docker/default" || value.startsWith("localhost/");

/** Before 1.19 there were only annotations. */
const annotations: Check = (pod) => {
  const given = pod.metadata?.annotations ?? {};
  const keys = [podAnnotation, ...containersOf(pod).map(({ name }) => containerAnnotation + name)];
  const bad = keys
    .filter((key) => given[key] !== undefined && !allowedAnnotation(given[key]))
    .map((key) => `${key}=${JSON.stringify(given[key])}`);
  if (bad.length === 0) return undefined;
  const detail = `forbidden ${plural("annotation", bad.length)} ${sorted(bad).join(", ")}`;
  return { reason, detail };
};

const isAllowed = (type: string) => type === "RuntimeDefault" || type === "Localhost";

function explicit(pod: PodLike) {
  const values = new Set<string>();
  const isBad = (securityContext: any) => {
    const profile = securityContext?.seccompProfile;
    if (!profile || isAllowed(profile.type)) return false;
    values.add(profile.type ?? "");
    return true;
  };
  const ofPod = isBad(pod.spec.securityContext);
  const bad = containersOf(pod).filter(({ securityContext }) => isBad(securityContext));
  const who = setters(
    ofPod,
    bad.map(({ name }) => name),
  );
  if (who.length === 0) return undefined;
  const what = quoted(sorted(values));
  const detail = `${who.join(" and ")} must not set securityContext.seccompProfile.type to ${what}`;
  return { reason, detail };
}

/** Restricted wants a profile said, by the pod or by every container. */
const required: Check = (pod) => {
  const found = explicit(pod);
  if (found || pod.spec.securityContext?.seccompProfile) return found;
  const silent = containersOf(pod).filter(
    ({ securityContext }) => !securityContext?.seccompProfile,
  );
  if (silent.length === 0) return undefined;
  const who = counted(
    "container",
    silent.map(({ name }) => name),
  );
  return {
    reason,
    detail: `pod or ${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

export const seccompProfileBaseline: Control = {
  id: "seccompProfile_baseline",
  level: "baseline",
  versions: [
    { since: 0, check: annotations },
    { since: 19, check: explicit },
  ],
};

export const seccompProfileRestricted: Control = {
  id: "seccompProfile_restricted",
  level: "restricted",
  replaces: "seccompProfile_baseline",
  versions: [
    { since: 19, check: required },
    { since: 25, check: exceptOnWindows(required) },
  ],
};
