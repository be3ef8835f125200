// Which part of an object each subresource may write. A write to the object itself leaves its status
// alone; a write to a part leaves all else alone.
import type { Kind } from "../kinds/kind.ts";
import type { KubeObject, ObjectMeta } from "../kinds/object.ts";
import { isCustom } from "./root-schema.ts";
import { resourceNameOf } from "./stored.ts";

/** Takes from `object` what the part covers and everything else from `old`, whose fields it may replace. */
type Part = (object: KubeObject, old: KubeObject, kind: Kind) => KubeObject;

const setOrDelete = (target: any, field: string, value: unknown) => {
  if (value === undefined) delete target[field];
  else target[field] = value;
};

/** As upstream, a write to a part of a built-in object may touch its labels and annotations too. */
function partMetadata(metadata: ObjectMeta, old: ObjectMeta, kind: Kind): ObjectMeta {
  const kept = { ...old };
  setOrDelete(kept, "managedFields", metadata.managedFields);
  if (isCustom(kind)) return kept;
  setOrDelete(kept, "labels", metadata.labels);
  setOrDelete(kept, "annotations", metadata.annotations);
  return kept;
}

const statusPart: Part = (object, old) => {
  setOrDelete(old, "status", object.status);
  return old;
};

const specField =
  (field: string): Part =>
  (object, old) => {
    old.spec = { ...old.spec };
    setOrDelete(old.spec, field, object.spec?.[field]);
    return old;
  };

/** A pod and its containers keep all but their resources; other containers are left for validation to refuse. */
const resizePart: Part = (object, old) => {
  if (old.spec) setOrDelete(old.spec, "resources", object.spec?.["resources"]);
  for (const list of ["containers", "initContainers"]) {
    const before: any[] = old.spec?.[list] ?? [];
    const now: any[] = object.spec?.[list] ?? [];
    const isSame =
      now.length === before.length && now.every(({ name }, i) => name === before[i].name);
    if (!isSame) setOrDelete(old.spec, list, now);
    else
      for (const [i, container] of before.entries()) {
        setOrDelete(container, "resources", now[i].resources);
        setOrDelete(container, "resizePolicy", now[i].resizePolicy);
      }
  }
  return old;
};

/** How a request was approved or denied is as it was; whether it was, validation judges. */
const requestStatusPart: Part = (object, old) => {
  let conditions: any[] | undefined = object.status?.conditions;
  for (const type of ["Approved", "Denied"]) {
    const before = (old.status?.conditions ?? []).filter((one: any) => one.type === type);
    const now = conditions?.filter((one) => one.type === type) ?? [];
    if (now.length !== before.length) continue;
    const kept = before.values();
    conditions = conditions?.map((one) => (one.type === type ? kept.next().value : one));
  }
  return { ...old, status: { ...object.status, ...(conditions && { conditions }) } };
};

/** Approval writes all conditions and nothing else. */
const approvalPart: Part = (object, old) => {
  old.status = { ...old.status };
  setOrDelete(old.status, "conditions", object.status?.conditions);
  return old;
};

const parts: Record<string, Part> = {
  "namespaces/finalize": specField("finalizers"),
  "pods/ephemeralcontainers": specField("ephemeralContainers"),
  "pods/resize": resizePart,
  "certificatesigningrequests.certificates.k8s.io/approval": approvalPart,
  "certificatesigningrequests.certificates.k8s.io/status": requestStatusPart,
};

/**
 * Kinds whose spec no update changes: what holds a namespace only `finalize` writes, and what a
 * certificate is asked for stays what its approver saw.
 */
const ownSpecs = new Set(["namespaces", "certificatesigningrequests.certificates.k8s.io"]);

/** True for subresources that are written as a part of their object. */
export const isPart = (kind: Kind, subresource: string) =>
  subresource === "" ||
  subresource === "status" ||
  parts[`${resourceNameOf(kind)}/${subresource}`] !== undefined;

/** `object` as far as its subresource may write it; the rest is as in `old`. */
export function keepToPart(
  kind: Kind,
  subresource: string,
  object: KubeObject,
  old: KubeObject,
): KubeObject {
  if (subresource === "") {
    if (ownSpecs.has(resourceNameOf(kind))) setOrDelete(object, "spec", old.spec);
    if (kind.subresources.includes("status")) {
      setOrDelete(object, "status", structuredClone(old.status));
    }
    return object;
  }
  const part =
    parts[`${resourceNameOf(kind)}/${subresource}`] ??
    (subresource === "status" ? statusPart : undefined);
  // The server's own handlers (binding) write what they mean to and nothing else.
  if (!part) return object;
  // A status is written often and its object is complete already: nothing below the top is touched.
  const kept = part(object, subresource === "status" ? { ...old } : structuredClone(old), kind);
  kept.metadata = partMetadata(object.metadata, kept.metadata, kind);
  return kept;
}
