// What the schema cannot say of PersistentVolumes.
import { semanticEqual } from "../semantic-equal.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { accessModesRule, className, volumeMode } from "../core/claim-validation.ts";
import { positiveAmount } from "../core/resource-validation.ts";
import {
  commonSources,
  driverName,
  hostPath,
  iscsi,
  isLongPortal,
  longPortalWhy,
  manyWhy,
  texts,
} from "../core/volume-sources.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import { withoutBacksteps } from "../path-rules.ts";
import {
  all,
  always,
  eachValue,
  fields,
  first,
  given,
  holds,
  named,
  needed,
  none,
  notEmpty,
  oneOf,
  oneSource,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { nodeSelectorErrors } from "../selector-validation.ts";

/** Where a secret is: a volume has no namespace of its own. */
const secret = fields({ name: needed(named(dnsSubdomain)), namespace: needed(named(dnsLabel)) });
const namespaceWhy = "if the endpointnamespace is set, it must be a valid namespace name";

const sourceRules: Record<string, Rule> = {
  ...commonSources(fields(texts("name", "namespace"))),
  hostPath,
  glusterfs: fields({
    ...texts("endpoints", "path"),
    endpointsNamespace: first(
      holds((name) => name !== "", namespaceWhy),
      named(dnsLabel),
    ),
  }),
  iscsi: all(iscsi("must be valid format"), fields({ secretRef: fields(texts("name")) })),
  azureFile: fields({ ...texts("secretName", "shareName"), secretNamespace: notEmpty() }),
  local: fields({ path: needed(withoutBacksteps) }),
  csi: fields({
    driver: driverName,
    volumeHandle: needed(),
    controllerPublishSecretRef: secret,
    controllerExpandSecretRef: secret,
    nodePublishSecretRef: secret,
    nodeExpandSecretRef: secret,
  }),
};

const capacity: Rule = (amounts, at) => {
  const names = Object.keys(amounts);
  const errors = eachValue(positiveAmount)(amounts, at);
  const empty = names.length === 0 ? [required(at)] : none;
  if (names.length === 1 && names[0] === "storage") return errors;
  return [...empty, ...supported(at, amounts, ["storage"]), ...errors];
};

const spec = all(
  fields({
    accessModes: accessModesRule(""),
    capacity: always(capacity),
    persistentVolumeReclaimPolicy: given(oneOf("Delete", "Recycle", "Retain")),
    nodeAffinity: (affinity, at) =>
      affinity.required
        ? nodeSelectorErrors(affinity.required, `${at}.required`)
        : [required(`${at}.required`, "must specify required node constraints")],
  }),
  oneSource(sourceRules, "must specify a volume type", manyWhy),
  fields({ storageClassName: className, volumeMode }),
  ({ hostPath: host, persistentVolumeReclaimPolicy: policy }, at) =>
    host && policy === "Recycle" && /^(\/+|\.)*$/.test(host.path ?? "") && host.path
      ? [
          forbiddenValue(
            `${at}.persistentVolumeReclaimPolicy`,
            "may not be 'recycle' for a hostPath mount of '/'",
          ),
        ]
      : none,
  fields({
    volumeAttributesClassName: notEmpty(named(dnsSubdomain), "an empty string is disallowed"),
  }),
);

/** What a volume is made of, as text; a secret for growing may be told later. */
function sourceOf(one: any, without: boolean): string {
  const sources = Object.keys(sourceRules).map((name) => [name, one[name]] as const);
  return JSON.stringify(sources, (name, value) =>
    without && name === "controllerExpandSecretRef" ? undefined : value,
  );
}

/** Labels of nodes that have a newer name, which an update may give them. */
const newerLabels: [RegExp, string][] = [
  [/beta\.kubernetes\.io\/(os|arch)/g, "kubernetes.io/$1"],
  [/beta\.kubernetes\.io\/instance-type/g, "node.kubernetes.io/instance-type"],
  [/failure-domain\.beta\.kubernetes\.io\/(zone|region)/g, "topology.kubernetes.io/$1"],
];
const withNewerLabels = (affinity: unknown) =>
  newerLabels.reduce(
    (text, [label, newer]) => text.replaceAll(label, newer),
    JSON.stringify(affinity) ?? "",
  );

function updateErrors(now: any, before: any): Errors {
  const canGrow = before.csi && !before.csi.controllerExpandSecretRef;
  const why = "spec.persistentvolumesource is immutable after creation";
  const errors: FieldError[] = [];
  if (sourceOf(now, canGrow) !== sourceOf(before, canGrow)) {
    errors.push(forbiddenValue("spec.persistentvolumesource", why));
  }
  if (now.volumeMode !== before.volumeMode) {
    errors.push(invalidValue("volumeMode", now.volumeMode, "field is immutable"));
  }
  const { nodeAffinity } = now;
  if (
    before.nodeAffinity &&
    !semanticEqual(nodeAffinity, before.nodeAffinity) &&
    withNewerLabels(nodeAffinity) !== withNewerLabels(before.nodeAffinity)
  ) {
    const fixed = "field is immutable, except for updating from beta label to GA";
    errors.push(invalidValue("nodeAffinity", nodeAffinity ?? null, fixed));
  }
  if (
    before.volumeAttributesClassName !== undefined &&
    now.volumeAttributesClassName === undefined
  ) {
    const back = "update from non-nil value to nil is forbidden";
    errors.push(forbiddenValue("spec.volumeAttributesClassName", back));
  }
  return errors;
}

function togetherErrors(spec: any, name: string): Errors {
  const { iscsi: portal, csi, volumeAttributesClassName, local, nodeAffinity } = spec;
  if (local && !nodeAffinity) {
    return [required("spec.nodeAffinity", "Local volume requires node affinity")];
  }
  if (portal && isLongPortal(portal, name)) {
    return [invalidValue("spec.iscsi.targetportal", portal.targetPortal ?? "", longPortalWhy)];
  }
  if (volumeAttributesClassName === undefined || csi) return none;
  return [required("spec.csi", "has to be specified when using volumeAttributesClassName")];
}

export function persistentVolumeErrors({ object, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const { spec: now = {}, metadata } = object;
  return [
    ...spec(now, "spec"),
    ...togetherErrors(now, metadata.name),
    ...(old ? updateErrors(now, old.spec) : none),
  ];
}
