// What the schema cannot say of pods and their templates (pkg/apis/core/validation).
import { addressRule } from "../address-rules.ts";
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  required,
} from "../field-checks.ts";
import { dnsLabel, dnsSubdomain, qualifiedName } from "../name-rules.ts";
import {
  atLeast,
  between,
  each,
  fields,
  given,
  named,
  none,
  oneOf,
  orEmpty,
  tooLong,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import type { Change } from "../kind.ts";
import { annotationErrors, labelErrors } from "../validate-metadata.ts";
import {
  containerErrors,
  ephemeralContainerErrors,
  hostPortErrors,
  initContainerErrors,
} from "./container-validation.ts";
import type { PodContext } from "./container-validation.ts";
import { dnsErrors } from "./dns-validation.ts";
import type { Volumes } from "./mount-validation.ts";
import { placement } from "./placement-validation.ts";
import {
  annotationUpdateErrors,
  podAnnotationErrors,
  profileErrors,
} from "./pod-annotations-validation.ts";
import { podClaims } from "./pod-claims-validation.ts";
import { podResourceErrors } from "./pod-resources-validation.ts";
import { requirementErrors, containerResourceErrors } from "./resource-validation.ts";
import { podUpdateErrors } from "./pod-update-validation.ts";
import { resizeErrors } from "./resize-validation.ts";
import { podSecurityErrors } from "./security-validation.ts";
import { volumeName, volumesErrors } from "./volume-validation.ts";
import { hostProcessErrors, systemErrors } from "./windows-validation.ts";

type Any = Record<string, any>;

const hostnameCharsMax = 64;

/** Which of what a pod is called belongs together, or not. */
function namingErrors(spec: Any, at: string): Errors {
  const name: string | undefined = spec["hostnameOverride"];
  if (name === undefined) return none;
  const field = `${at}.hostnameOverride`;
  return [
    ...["setHostnameAsFQDN", "hostNetwork"]
      .filter((other) => spec[other])
      .map((other) => forbiddenValue(field, `may not be specified when ${other} is true`)),
    ...(name.length > hostnameCharsMax ? [tooLong(field, hostnameCharsMax)] : none),
    ...named(dnsSubdomain)(name, field),
  ];
}

const subdomain = given(named(dnsSubdomain));
const label = given(named(dnsLabel));

/** Gates are told by their place, without their field. */
const gates: Rule = (list: Any[], at) =>
  list.flatMap(({ name = "" }, i) => [
    ...named(qualifiedName)(name, `${at}[${i}]`),
    ...(list.findIndex((one) => (one["name"] ?? "") === name) < i
      ? [duplicate(`${at}[${i}]`, name)]
      : none),
  ]);

/** What it takes beside its containers; told as their limits, as upstream does. */
const overhead = requirementErrors(containerResourceErrors);

const plain = fields({
  resourceClaims: podClaims,
  restartPolicy: oneOf("Always", "OnFailure", "Never"),
  dnsPolicy: oneOf("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
  schedulingGates: gates,
  readinessGates: each(fields({ conditionType: orEmpty(named(qualifiedName)) })),
  serviceAccountName: subdomain,
  nodeName: subdomain,
  activeDeadlineSeconds: between(1, 2 ** 31 - 1),
  terminationGracePeriodSeconds: atLeast(0),
  hostname: label,
  subdomain: label,
  hostAliases: each(fields({ ip: orEmpty(addressRule), hostnames: each(named(dnsSubdomain)) })),
  priorityClassName: subdomain,
  runtimeClassName: named(dnsSubdomain),
  preemptionPolicy: oneOf("PreemptLowerPriority", "Never"),
  overhead: (limits, at) => overhead({ limits }, at),
  os: (os, at) => (os.name ? oneOf("linux", "windows")(os.name, at) : [required(`${at}.name`)]),
});

const hostPortWhy = "must match `containerPort` when `hostNetwork` is true";

function hostNetworkErrors(spec: Any, at: string): Errors {
  if (!spec["hostNetwork"]) return none;
  return (spec["containers"] as Any[]).flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort, containerPort }: Any, j: number) =>
      hostPort && hostPort !== containerPort
        ? [invalidValue(`${at}.containers[${i}].ports[${j}].hostPort`, hostPort, hostPortWhy)]
        : [],
    ),
  );
}

const emptyDirWhy = "referenced volume must be of type emptyDir";

/** Files that variables are read from lie in volumes that the pod has for itself. */
function fileKeyErrors(container: Any, at: string, volumes: Volumes): Errors {
  return (container["env"] ?? []).flatMap(({ valueFrom }: Any, i: number) => {
    const name = valueFrom?.fileKeyRef?.volumeName;
    if (!valueFrom?.fileKeyRef) return none;
    const field = `${at}.env[${i}].valueFrom.fileKeyRef.volumeName`;
    const volume = volumes.get(name);
    if (!volume) return [notFoundValue(field, name ?? "")];
    return volume["emptyDir"] ? none : [invalidValue(field, name, emptyDirWhy)];
  });
}

const judges = {
  initContainers: initContainerErrors,
  containers: containerErrors,
  ephemeralContainers: ephemeralContainerErrors,
};

function containersErrors(spec: Any, at: string, context: PodContext): Errors {
  let errors = none;
  const names = new Set<string>();
  for (const list of ["containers", "initContainers", "ephemeralContainers"] as const) {
    for (const [i, container] of (spec[list] ?? []).entries()) {
      const field = `${at}.${list}[${i}]`;
      const found = [
        ...judges[list](container, field, context),
        ...(names.has(container.name) ? [duplicate(`${field}.name`, container.name)] : none),
        ...fileKeyErrors(container, field, context.volumes),
      ];
      if (container.name) names.add(container.name);
      if (found.length > 0) errors = [...errors, ...found];
    }
  }
  return errors;
}

function hostPortsErrors(spec: Any, at: string): Errors {
  return [
    ...hostPortErrors(spec["containers"], `${at}.containers`),
    ...(spec["initContainers"] ?? []).flatMap((one: Any) =>
      hostPortErrors([one], `${at}.initContainers`),
    ),
  ];
}

/** A volume that a template of claims gives is told among the template's own, as upstream does. */
const givenName = (name: string | undefined, at: string): Errors => [
  ...volumeName(name, `${at}.name`),
  ...(name ? none : [required(`${at}.persistentVolumeClaim.claimName`)]),
];

/** `metadata` is of the pod, or of the template it is made from. */
function specErrors(spec: Any | undefined, at: string, pod: string | undefined, given: string[]) {
  if (!spec?.["containers"]?.length) return [required(`${at}.containers`)];
  const list: Any[] = spec["volumes"] ?? [];
  const volumes: Volumes = new Map<string, Any>([
    ...list.map((one): [string, Any] => [one["name"], one]),
    ...given.map((name): [string, Any] => [name, { persistentVolumeClaim: {} }]),
  ]);
  const claims = new Set<string>((spec["resourceClaims"] ?? []).map(({ name }: Any) => name));
  return [
    ...given.flatMap((name, i) => givenName(name, `${at}.volumes[${i}]`)),
    ...volumesErrors(list, `${at}.volumes`, pod),
    ...containersErrors(spec, at, { spec, volumes, claims }),
    ...hostPortsErrors(spec, at),
    ...podResourceErrors(spec, at),
    ...hostNetworkErrors(spec, at),
    ...podSecurityErrors(spec, at),
    ...placement(spec, at),
    ...dnsErrors(spec, at),
    ...hostProcessErrors(spec, at),
    ...namingErrors(spec, at),
    ...plain(spec, at),
    ...systemErrors(spec, at),
  ];
}

/**
 * Errors of a pod's template at `at` (`spec.template`). `given` names volumes that its pods get from
 * elsewhere, as those of a StatefulSet do.
 */
export function templateErrors(
  template: Any | undefined,
  at: string,
  given: string[] = [],
): Errors {
  const { metadata = {}, spec } = template ?? {};
  return [
    ...labelErrors(metadata.labels, `${at}.labels`),
    ...annotationErrors(metadata.annotations, `${at}.annotations`),
    ...podAnnotationErrors(metadata.annotations, spec ?? {}, `${at}.annotations`),
    ...specErrors(spec, `${at}.spec`, undefined, given),
    ...profileErrors(metadata.annotations, spec ?? {}, `${at}.spec`),
    ...(spec?.ephemeralContainers?.length
      ? [
          forbiddenValue(
            `${at}.spec.ephemeralContainers`,
            "ephemeral containers not allowed in pod template",
          ),
        ]
      : none),
  ];
}

const paddedWhy = "must not have leading or trailing whitespace";
const accountWhy = "must not be specified when serviceAccountName is not set";
const gatedWhy = "cannot be set until all schedulingGates have been cleared";

/** What a template may leave to whoever makes pods of it. */
function ownErrors(spec: Any): Errors {
  const padded = ["containers", "initContainers", "ephemeralContainers"].flatMap((list) =>
    (spec[list] ?? []).flatMap(({ image = "" }: Any, i: number) =>
      image.trim() === image ? none : [invalidValue(`spec.${list}[${i}].image`, image, paddedWhy)],
    ),
  );
  if (spec["serviceAccountName"]) return padded;
  const tokens = (spec["volumes"] ?? []).flatMap(({ projected }: Any, i: number) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }: Any, j: number) =>
      serviceAccountToken
        ? [
            forbiddenValue(
              `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
              accountWhy,
            ),
          ]
        : none,
    ),
  );
  return [...tokens, ...padded];
}

function createErrors({ spec, metadata }: any): Errors {
  const isGated = spec.nodeName && spec.schedulingGates?.length > 0;
  return [
    ...(spec.ephemeralContainers?.length
      ? [forbiddenValue("spec.ephemeralContainers", "cannot be set on create")]
      : none),
    ...(isGated ? [forbiddenValue("spec.nodeName", gatedWhy)] : none),
    ...profileErrors(metadata.annotations, spec, "spec"),
  ];
}

export function podErrors({ object, old, subresource }: Change): Errors {
  if (subresource === "resize" && old) return resizeErrors(object, old);
  if (subresource !== "" && subresource !== "ephemeralcontainers") return none;
  const { spec, metadata } = object;
  const errors = [
    ...specErrors(spec, "spec", metadata.name, []),
    ...(spec?.containers?.length ? ownErrors(spec) : none),
  ];
  if (old) return [...errors, ...podUpdateErrors(object, old, subresource)];
  return [...errors, ...(spec?.containers?.length ? createErrors(object) : none)];
}

/** What its annotations say, even when nothing else changes. */
export const podMetadataErrors = ({ object, old }: Change): Errors => [
  ...podAnnotationErrors(object.metadata.annotations, object.spec ?? {}, "metadata.annotations"),
  ...(old ? annotationUpdateErrors(object, old) : none),
];
