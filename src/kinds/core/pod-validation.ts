// What the schema cannot say of pods and their templates (pkg/apis/core/validation).
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  dnsLabel,
  duplicate,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  required,
  supported,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { resourceErrors } from "./resource-validation.ts";
import { resizeErrors } from "./resize-validation.ts";

type Any = Record<string, any>;

const inRange = (port: unknown) => Number(port) >= 1 && Number(port) <= 65535;
const portWhy = "must be between 1 and 65535, inclusive";

function portErrors(ports: Any[], at: string): FieldError[] {
  return ports.flatMap((port, i) => {
    const field = `${at}[${i}]`;
    if (!port["containerPort"]) return [required(`${field}.containerPort`)];
    const errors = supported(`${field}.protocol`, port["protocol"], ["SCTP", "TCP", "UDP"]);
    if (!inRange(port["containerPort"])) {
      errors.push(invalidValue(`${field}.containerPort`, port["containerPort"], portWhy));
    }
    return errors;
  });
}

const handlers = ["exec", "httpGet", "tcpSocket", "grpc"];

function probeErrors(container: Any, at: string): FieldError[] {
  return ["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => {
    const probe = container[name];
    if (!probe) return [];
    const given = handlers.filter((handler) => probe[handler]);
    if (given.length === 0) return [required(`${at}.${name}`, "must specify a handler type")];
    const second = given[1];
    return second
      ? [forbiddenValue(`${at}.${name}.${second}`, "may not specify more than 1 handler type")]
      : [];
  });
}

const pullPolicies = ["Always", "IfNotPresent", "Never"];

const recursiveModes = ["Disabled", "Enabled", "IfPossible"];

function recursiveErrors(mount: Any, field: string): FieldError[] {
  const mode = mount["recursiveReadOnly"];
  if (mode === undefined) return [];
  const errors = supported(field, mode, recursiveModes);
  if (mode === "Disabled" || errors.length > 0) return errors;
  if (!mount["readOnly"])
    errors.push(forbiddenValue(field, "may only be specified when readOnly is true"));
  if ((mount["mountPropagation"] ?? "None") !== "None") {
    const why = "may only be specified when mountPropagation is None or not specified";
    errors.push(forbiddenValue(field, why));
  }
  return errors;
}

/** What belongs together in the pod, or not. */
function namingErrors(spec: Any, at: string): FieldError[] {
  if (spec["hostnameOverride"] === undefined) return [];
  const others = ["hostNetwork", "setHostnameAsFQDN"].filter((name) => spec[name]);
  return others.map((name) =>
    forbiddenValue(`${at}.hostnameOverride`, `may not be set when ${name} is true`),
  );
}

function containerErrors(container: Any, at: string, volumes: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const why = container["name"] && dnsLabel(container["name"]);
  if (!container["name"]) errors.push(required(`${at}.name`));
  else if (why) errors.push(invalidValue(`${at}.name`, container["name"], why));
  if (!container["image"]) errors.push(required(`${at}.image`));
  errors.push(
    ...portErrors(container["ports"] ?? [], `${at}.ports`),
    ...supported(`${at}.imagePullPolicy`, container["imagePullPolicy"], pullPolicies),
    ...resourceErrors(container["resources"], `${at}.resources`),
    ...probeErrors(container, at),
  );
  for (const [i, { name }] of (container["env"] ?? []).entries()) {
    if (!name) errors.push(required(`${at}.env[${i}].name`));
  }
  for (const [i, mount] of (container["volumeMounts"] ?? []).entries()) {
    const field = `${at}.volumeMounts[${i}]`;
    if (!mount.mountPath) errors.push(required(`${field}.mountPath`));
    if (!volumes.has(mount.name)) errors.push(notFoundValue(`${field}.name`, mount.name));
    errors.push(...recursiveErrors(mount, `${field}.recursiveReadOnly`));
  }
  return errors;
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
  for (const [i, { name }] of (spec["volumes"] ?? []).entries()) {
    const field = `${at}.volumes[${i}].name`;
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
  errors.push(...namingErrors(spec, at));
  const sysctls = spec["securityContext"]?.sysctls ?? [];
  errors.push(...sysctlErrors(sysctls, `${at}.securityContext.sysctls`));
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
