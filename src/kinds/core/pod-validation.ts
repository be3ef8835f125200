// What the schema cannot say of pods and their templates (pkg/apis/core/validation).
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  dnsLabel,
  duplicate,
  forbiddenValue,
  invalidValue,
  required,
  supported,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { containerErrors } from "./container-validation.ts";
import { podNameErrors, podSecurityErrors } from "./pod-security-validation.ts";
import { placementErrors } from "./placement-validation.ts";
import { volumeSourceErrors } from "./volume-validation.ts";
import { resizeErrors } from "./resize-validation.ts";

type Any = Record<string, any>;

/** What belongs together in the pod, or not. */
function namingErrors(spec: Any, at: string): FieldError[] {
  if (spec["hostnameOverride"] === undefined) return [];
  const others = ["hostNetwork", "setHostnameAsFQDN"].filter((name) => spec[name]);
  return others.map((name) =>
    forbiddenValue(`${at}.hostnameOverride`, `may not be set when ${name} is true`),
  );
}

const dnsPolicies = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];

function dnsErrors(spec: Any, at: string): FieldError[] {
  const errors = supported(`${at}.dnsPolicy`, spec["dnsPolicy"], dnsPolicies);
  if (spec["dnsPolicy"] !== "None" || spec["dnsConfig"]?.nameservers?.length) return errors;
  const why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
  return [...errors, required(`${at}.dnsConfig.nameservers`, why)];
}

const sysctlBytesMax = 253;
const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

function sysctlErrors(sysctls: Any[], at: string): FieldError[] {
  return sysctls.flatMap(({ name }, i) => {
    const field = `${at}[${i}].name`;
    if (!name) return [required(field)];
    if (sysctls.findIndex((one) => one["name"] === name) < i) return [duplicate(field, name)];
    if (name.length <= sysctlBytesMax && sysctlPattern.test(name)) return [];
    const why = `must have at most ${sysctlBytesMax} characters and match regex ${sysctlPattern.source}`;
    return [invalidValue(field, name, why)];
  });
}

/**
 * Errors of a PodSpec at `at` (`spec`, `spec.template.spec`). `given` names volumes that its pods get from
 * elsewhere, as those of a StatefulSet do.
 */
export function podSpecErrors(
  spec: Any | undefined,
  at: string,
  given: string[] = [],
): FieldError[] {
  if (!spec?.["containers"]?.length) return [required(`${at}.containers`)];
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  for (const [i, volume] of (spec["volumes"] ?? []).entries()) {
    const { name } = volume;
    const field = `${at}.volumes[${i}].name`;
    errors.push(...volumeSourceErrors(volume, `${at}.volumes[${i}]`));
    if (!name) errors.push(required(field));
    else if (volumes.has(name)) errors.push(duplicate(field, name));
    else if (dnsLabel(name)) errors.push(invalidValue(field, name, dnsLabel(name)!));
    volumes.add(name);
  }
  for (const name of given) volumes.add(name);
  const names = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    for (const [i, container] of (spec[list] ?? []).entries()) {
      const field = `${at}.${list}[${i}]`;
      errors.push(...containerErrors(container, field, volumes));
      if (container.securityContext?.procMount === "Unmasked" && spec["hostUsers"] !== false) {
        const place = `${field}.securityContext.procMount`;
        errors.push(invalidValue(place, "Unmasked", "`hostUsers` must be false to use `Unmasked`"));
      }
      if (names.has(container.name)) errors.push(duplicate(`${field}.name`, container.name));
      names.add(container.name);
    }
  }
  errors.push(...namingErrors(spec, at), ...placementErrors(spec, at), ...dnsErrors(spec, at));
  errors.push(
    ...podNameErrors(spec, at),
    ...podSecurityErrors(spec["securityContext"], `${at}.securityContext`),
  );
  const sysctls = spec["securityContext"]?.sysctls ?? [];
  errors.push(...sysctlErrors(sysctls, `${at}.securityContext.sysctls`));
  const deadline = spec["activeDeadlineSeconds"];
  if (deadline !== undefined && deadline < 1) {
    const why = "must be between 1 and 2147483647, inclusive";
    errors.push(invalidValue(`${at}.activeDeadlineSeconds`, deadline, why));
  }
  const policies = ["Always", "OnFailure", "Never"];
  errors.push(...supported(`${at}.restartPolicy`, spec["restartPolicy"], policies));
  if (spec["terminationGracePeriodSeconds"] < 0) {
    const why = "must be greater than or equal to 0";
    errors.push(
      invalidValue(
        `${at}.terminationGracePeriodSeconds`,
        spec["terminationGracePeriodSeconds"],
        why,
      ),
    );
  }
  return errors;
}

/** The spec without what an update may change. */
function fixed(spec: Any): Any {
  const {
    activeDeadlineSeconds: _a,
    terminationGracePeriodSeconds: _g,
    tolerations: _t,
    schedulingGates: _s,
    nodeSelector: _n,
    affinity: _f,
    ephemeralContainers: _e,
    nodeName: _o,
    ...rest
  } = spec;
  const plain = (containers: Any[] | undefined) =>
    containers?.map(({ image: _i, ...container }) => container);
  return {
    ...rest,
    containers: plain(rest["containers"]),
    initContainers: plain(rest["initContainers"]),
  };
}

const updateWhy =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
  "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

export function podErrors({ object, old, subresource }: Change): FieldError[] {
  if (!old) return podSpecErrors(object.spec, "spec");
  if (subresource === "resize") return resizeErrors(object, old);
  if (subresource !== "" || jsonEqual(fixed(object.spec), fixed(old.spec))) return [];
  return [forbiddenValue("spec", updateWhy)];
}
