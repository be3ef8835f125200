// What a pod and its containers may do on their node.
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, forbiddenValue, invalidValue, required } from "../field-checks.ts";
import { descendingPath } from "../path-rules.ts";
import { all, between, each, fields, none, oneOf, tooLong } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { windowsOptions } from "./windows-validation.ts";

type Any = Record<string, any>;

const id = between(0, 2 ** 31 - 1);
const profileTypes = oneOf("Localhost", "RuntimeDefault", "Unconfined");

/** A profile of the kernel's: its own, none, or one that lies on the node. */
const profile =
  (what: string, field: string, path: Rule): Rule =>
  (value, at) => {
    const { type = "", localhostProfile } = value;
    const place = `${at}.localhostProfile`;
    if (type === "Localhost") {
      const why = `must be set when ${what} type is Localhost`;
      return localhostProfile === undefined
        ? [required(place, why)]
        : path(localhostProfile, place);
    }
    const errors = type
      ? profileTypes(type, `${at}.type`)
      : [required(`${at}.type`, `type is required when ${field} is set`)];
    if (localhostProfile === undefined) return errors;
    const why = `can only be set when ${what} type is Localhost`;
    if (what === "seccomp") return [...errors, invalidValue(place, value, why)];
    return errors.length > 0 ? errors : [invalidValue(place, localhostProfile, why)];
  };

const appArmorPathMax = 4095;
const appArmorPath: Rule = (path: string, at) => {
  const errors: FieldError[] = path.length > appArmorPathMax ? [tooLong(at, appArmorPathMax)] : [];
  if (path.trim() !== path) {
    return [invalidValue(at, path, "must not be padded with whitespace"), ...errors];
  }
  return path ? errors : [required(at, "must be set when AppArmor type is Localhost")];
};

const seccompProfile = profile("seccomp", "seccompProfile", descendingPath);
const appArmorProfile = profile("AppArmor", "appArmorProfile", appArmorPath);

function escalationErrors(context: Any, at: string): Errors {
  if (context["allowPrivilegeEscalation"] !== false) return none;
  const cannot = (what: string) =>
    invalidValue(at, context, `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
  const added: string[] = context["capabilities"]?.add ?? [];
  return [
    ...(context["privileged"] ? [cannot("`privileged` to true")] : none),
    ...added
      .filter((one) => one === "CAP_SYS_ADMIN")
      .map(() => cannot("`capabilities.Add` CAP_SYS_ADMIN")),
  ];
}

const shared = {
  runAsUser: id,
  runAsGroup: id,
  seccompProfile,
  windowsOptions,
  appArmorProfile,
};

/** Of a container. */
export const securityContext = all(
  fields({ ...shared, procMount: oneOf("Default", "Unmasked") }),
  escalationErrors,
);

const sysctlBytesMax = 253;
const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlWhy = `must have at most ${sysctlBytesMax} characters and match regex ${sysctlPattern.source.replaceAll("[./]", String.raw`[\./]`)}`;
const isOfIpc = /^(kernel[./](shm|msg|sem)|fs[./]mqueue[./])/;

function sysctlErrors(spec: Any, at: string): Errors {
  const sysctls: Any[] = spec["securityContext"]?.sysctls ?? [];
  return sysctls.flatMap(({ name = "" }, i) => {
    const field = `${at}[${i}].name`;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(field));
    else if (name.length > sysctlBytesMax || !sysctlPattern.test(name)) {
      errors.push(invalidValue(field, name, sysctlWhy));
    } else if (sysctls.findIndex((one) => one["name"] === name) < i) {
      errors.push(duplicate(field, name));
    }
    const shared = /^net[./]/.test(name) ? "hostNetwork" : isOfIpc.test(name) ? "hostIPC" : "";
    if (shared && spec[shared]) {
      errors.push(invalidValue(field, name, `may not be specified when '${shared}' is true`));
    }
    return errors;
  });
}

const ofPod = fields({
  ...shared,
  fsGroup: id,
  supplementalGroups: each(id),
  fsGroupChangePolicy: oneOf("Always", "OnRootMismatch"),
  supplementalGroupsPolicy: oneOf("Merge", "Strict"),
  seLinuxChangePolicy: oneOf("Recursive"),
});

const sharedWhy = "ShareProcessNamespace and HostPID cannot both be enabled";

/** Of the PodSpec at `at`: its security context, and what it shares with its node. */
export function podSecurityErrors(spec: Any, at: string): Errors {
  const field = `${at}.securityContext`;
  const context = spec["securityContext"];
  const errors: FieldError[] = [];
  if (spec["shareProcessNamespace"] && spec["hostPID"]) {
    errors.push(invalidValue(`${field}.shareProcessNamespace`, true, sharedWhy));
  }
  if (spec["hostUsers"] === false) {
    for (const [name, told] of [
      ["hostPID", "HostPID"],
      ["hostIPC", "HostIPC"],
    ] as const) {
      if (spec[name]) errors.push(forbiddenValue(`${at}.${told}`, "when `hostUsers` is false"));
    }
  }
  if (!context) return errors;
  return [...ofPod(context, field), ...sysctlErrors(spec, `${field}.sysctls`), ...errors];
}
