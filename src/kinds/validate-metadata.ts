// What holds of every object's metadata: names, labels, annotations, owners, finalizers.
import type { FieldError } from "../lib/status-error.ts";
import { forbiddenValue, invalidValue } from "./field-checks.ts";
import type { Change } from "./kind.ts";
import { dnsLabel, dnsSubdomain, labelValue, pathSegment, qualifiedName } from "./name-rules.ts";
import type { NameRule } from "./name-rules.ts";
import type { ObjectMeta, OwnerReference } from "./object.ts";
import { all, fields, holds, named, none, orEmpty } from "./rules.ts";
import type { Errors, Rule } from "./rules.ts";

const annotationBytesMax = 256 * 1024;

/** Rules other than the DNS subdomain, by resource name. */
const rules: Record<string, NameRule> = {
  namespaces: dnsLabel,
  services: dnsLabel,
  "roles.rbac.authorization.k8s.io": pathSegment,
  "rolebindings.rbac.authorization.k8s.io": pathSegment,
  "clusterroles.rbac.authorization.k8s.io": pathSegment,
  "clusterrolebindings.rbac.authorization.k8s.io": pathSegment,
  "ipaddresses.networking.k8s.io": pathSegment,
  "apiservices.apiregistration.k8s.io": pathSegment,
  "certificatesigningrequests.certificates.k8s.io": () => [],
};

/** The keys and values of labels; all errors are told at the map itself. */
export function labelErrors(labels: Record<string, string> | undefined, at: string): Errors {
  let errors = none;
  for (const key in labels) {
    const found = [
      ...qualifiedName(key).map((why) => invalidValue(at, key, why)),
      ...labelValue(labels[key]!).map((why) => invalidValue(at, labels[key], why)),
    ];
    if (found.length > 0) errors = [...errors, ...found];
  }
  return errors;
}

export function annotationErrors(
  annotations: Record<string, string> | undefined,
  at: string,
): Errors {
  let errors = none;
  let bytes = 0;
  for (const key in annotations) {
    const reasons = qualifiedName(key.toLowerCase());
    if (reasons.length > 0) {
      errors = [...errors, ...reasons.map((why) => invalidValue(at, key, why))];
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
  }
  if (bytes <= annotationBytesMax) return errors;
  const message = `Too long: may not be more than ${annotationBytesMax} bytes`;
  return [...errors, { type: "FieldValueTooLong", field: at, message }];
}

/** The metadata that a template of objects may have. */
export const templateMetadata: Rule = fields({
  labels: labelErrors,
  annotations: annotationErrors,
});

const notEmpty = orEmpty(holds((text) => text !== "", "must not be empty"));
const owner = all(
  fields({
    apiVersion: orEmpty(holds((text) => text !== "", "version must not be empty")),
    kind: notEmpty,
    name: notEmpty,
    uid: notEmpty,
  }),
  holds(
    ({ apiVersion, kind }) => apiVersion !== "v1" || kind !== "Event",
    "/v1, Kind=Event is disallowed from being an owner",
  ),
);

function ownerErrors(owners: OwnerReference[], at: string): Errors {
  // Upstream does not tell which of them.
  const errors = owners.flatMap((one) => owner(one, at));
  const controllers = owners.filter(({ controller }) => controller);
  const [one, two] = controllers.filter(
    ({ uid }, i) => controllers.findIndex((other) => other.uid === uid) === i,
  );
  if (!two) return errors;
  const found = `${one!.kind}/${one!.name} and ${two.kind}/${two.name}`;
  const why = `Only one reference can have Controller set to true. Found "true" in references for ${found}`;
  return [...errors, invalidValue(at, owners, why)];
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);
/** Groups whose objects may have finalizers without a domain. */
const looseGroups =
  /\.(admissionregistration|apiregistration|apiextensions|coordination)\.k8s\.io$/;
const unqualifiedWhy = "name is neither a standard finalizer name nor is it fully qualified";

function finalizerErrors(
  metadata: ObjectMeta,
  { isNew, isStrict }: { isNew: boolean; isStrict: boolean },
): Errors {
  const { finalizers } = metadata;
  if (!finalizers?.length) return none;
  const at = "metadata.finalizers";
  const errors = finalizers.flatMap((name, i): FieldError[] => [
    ...(isNew ? named(qualifiedName)(name, at) : none),
    ...(isStrict && !name.includes("/") && !standardFinalizers.has(name)
      ? [invalidValue(`${at}[${i}]`, name, unqualifiedWhy)]
      : none),
  ]);
  if (!isNew || !finalizers.includes("orphan") || !finalizers.includes("foregroundDeletion")) {
    return errors;
  }
  const why = "finalizer orphan and foregroundDeletion cannot be both set";
  return [...errors, invalidValue(at, finalizers, why)];
}

/** A name that is made up ends where the base of one may have a dash. */
const baseOf = (text: string) => text.replace(/-$/, "a");

function nameErrors({ name, generateName }: ObjectMeta, rule: NameRule): FieldError[] {
  const base = generateName ? rule(baseOf(generateName)) : [];
  return [
    ...base.map((why) => invalidValue("metadata.generateName", generateName, why)),
    ...rule(name).map((why) => invalidValue("metadata.name", name, why)),
  ];
}

/** What goes away gets no new finalizers. */
function lateErrors(metadata: ObjectMeta, old: ObjectMeta): Errors {
  if (!old.deletionTimestamp) return none;
  const added = (metadata.finalizers ?? []).filter((one) => !old.finalizers?.includes(one));
  if (added.length === 0) return none;
  const list = added.sort().map((one) => JSON.stringify(one));
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list.join(", ")}}`;
  return [forbiddenValue("metadata.finalizers", why)];
}

const maps = fields({
  labels: labelErrors,
  annotations: annotationErrors,
  ownerReferences: ownerErrors,
});

interface Strictness {
  name: NameRule;
  /** Finalizers are standard ones, or have a domain. */
  isStrict: boolean;
}

function judge({ object, old }: Change, { name, isStrict }: Strictness): Errors {
  const { metadata } = object;
  return [
    ...(old ? none : nameErrors(metadata, name)),
    ...maps(metadata, "metadata"),
    ...finalizerErrors(metadata, { isNew: !old, isStrict }),
    ...(old ? lateErrors(metadata, old.metadata) : none),
  ];
}

export const metadataErrors = (change: Change, resource: string): Errors =>
  judge(change, { name: rules[resource] ?? dnsSubdomain, isStrict: !looseGroups.test(resource) });

/** Of objects of custom kinds. */
export const customMetadataErrors = (change: Change): Errors =>
  judge(change, { name: dnsSubdomain, isStrict: false });
