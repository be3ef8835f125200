// What a pod's annotations say to the cluster: profiles of the kernel as they were told before there were fields,
// and what its removal costs.
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { KubeObject } from "../object.ts";
import { descendingPath } from "../path-rules.ts";
import { none } from "../rules.ts";
import type { Errors } from "../rules.ts";

type Any = Record<string, any>;
type Annotations = Record<string, string> | undefined;

const mirror = "kubernetes.io/config.mirror";
const deletionCost = "controller.kubernetes.io/pod-deletion-cost";
const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
const appArmor = "container.apparmor.security.beta.kubernetes.io/";
const localhost = "localhost/";

const isInteger32 = (text: string) =>
  /^(0|-?[1-9]\d*)$/.test(text) && Math.abs(Number(text)) <= 2 ** 31 - 1;

function seccompErrors(text: string, at: string): Errors {
  if (["runtime/default", "docker/default", "unconfined"].includes(text)) return none;
  if (text.startsWith(localhost)) return descendingPath(text.slice(localhost.length), at);
  return [invalidValue(at, text, "must be a valid seccomp profile")];
}

const containersOf = (spec: Any): [Any, string][] =>
  ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    (spec[list] ?? []).map((one: Any, i: number): [Any, string] => [one, `${list}[${i}]`]),
  );

function appArmorErrors(key: string, text: string, spec: Any, at: string): Errors {
  const field = `${at}[${key}]`;
  const name = key.slice(appArmor.length);
  const isKnown =
    ["", "runtime/default", "unconfined"].includes(text) || text.startsWith(localhost);
  const why = `invalid AppArmor profile name: ${JSON.stringify(text)}`;
  return [
    ...(containersOf(spec).some(([one]) => one["name"] === name)
      ? none
      : [invalidValue(field, name, "container not found")]),
    ...(isKnown ? none : [invalidValue(field, text, why)]),
  ];
}

function oneErrors(key: string, text: string, spec: Any, at: string): Errors {
  if (key === mirror && !spec["nodeName"]) {
    const why = "must set spec.nodeName if mirror pod annotation is set";
    return [invalidValue(`${at}[${key}]`, text, why)];
  }
  if (key === deletionCost && !isInteger32(text)) {
    return [invalidValue(`${at}[${key}]`, text, "must be a 32bit integer")];
  }
  if (key === seccompPod || key.startsWith(seccompContainer)) {
    return seccompErrors(text, `${at}.${key}`);
  }
  return key.startsWith(appArmor) ? appArmorErrors(key, text, spec, at) : none;
}

export function podAnnotationErrors(annotations: Annotations, spec: Any, at: string): Errors {
  let errors = none;
  for (const key in annotations) {
    const found = oneErrors(key, annotations[key]!, spec, at);
    if (found.length > 0) errors = [...errors, ...found];
  }
  return errors;
}

/** What an annotation may say beside a field that says the same newer. */
const words: Record<string, readonly string[]> = {
  Unconfined: ["unconfined"],
  RuntimeDefault: ["runtime/default", "docker/default"],
};

function matchErrors(text: string | undefined, profile: Any, at: string, what: string): Errors {
  if (text === undefined || !profile) return none;
  const { type, localhostProfile } = profile;
  const differs = (field: string, word: string) => [
    forbiddenValue(`${at}.${field}`, `${what} ${word} in annotation and field must match`),
  ];
  if (type !== "Localhost") {
    const allowed = words[type]?.filter((one) => what === "seccomp" || !one.startsWith("docker"));
    return allowed && !allowed.includes(text) ? differs("type", "type") : none;
  }
  if (!text.startsWith(localhost)) return differs("type", "type");
  return text.slice(localhost.length) === localhostProfile
    ? none
    : differs("localhostProfile", "profile");
}

/** Profiles that are told twice are told alike. */
export function profileErrors(annotations: Annotations, spec: Any, at: string): Errors {
  if (!annotations) return none;
  const ofPod = spec["securityContext"] ?? {};
  const isWindows = spec["os"]?.name === "windows";
  return [
    ...matchErrors(
      annotations[seccompPod],
      ofPod.seccompProfile,
      `${at}.securityContext.seccompProfile`,
      "seccomp",
    ),
    ...containersOf(spec).flatMap(([{ name, securityContext = {} }, place]) => {
      const field = `${at}.${place}.securityContext`;
      const own = securityContext.appArmorProfile ?? ofPod.appArmorProfile;
      const seccomp = annotations[`${seccompContainer}${name}`];
      return [
        ...matchErrors(
          seccomp,
          securityContext.seccompProfile,
          `${field}.seccompProfile`,
          "seccomp",
        ),
        ...matchErrors(
          isWindows ? undefined : annotations[`${appArmor}${name}`],
          own,
          `${field}.appArmorProfile`,
          "apparmor",
        ),
      ];
    }),
  ];
}

/** What stays as it was when the pod was made. */
export function annotationUpdateErrors(object: KubeObject, old: KubeObject): Errors {
  const [now, before] = [object.metadata.annotations ?? {}, old.metadata.annotations ?? {}];
  if (now === before) return none;
  const refuse = (key: string, verb: string) => {
    const field = `metadata.annotations[${key}]`;
    if (key.startsWith(appArmor)) {
      return [forbiddenValue(field, `may not ${verb} AppArmor annotations`)];
    }
    return key === mirror ? [forbiddenValue(field, `may not ${verb} mirror pod annotation`)] : none;
  };
  return [
    ...Object.keys(before).flatMap((key) =>
      now[key] === before[key] ? none : refuse(key, "remove or update"),
    ),
    ...Object.keys(now).flatMap((key) => (key in before ? none : refuse(key, "add"))),
  ];
}
