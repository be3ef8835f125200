// The one way in which a stored object changes: update, patch, apply, status, scale and the other
// subresources differ only in how they compute the new object from the present one. A write that lost a
// race is computed again from what won; a stated resourceVersion then conflicts by itself.
import { dropEmpty } from "../../kinds/object.ts";
import type { KubeObject, ObjectMeta } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { rememberParsed } from "../../lib/parse-shared.ts";
import { conflict, invalid, type FieldError } from "../../lib/status-error.ts";
import { RevisionMismatch, type Entry } from "../../store/store.ts";
import { admissionRequest, admit, mutate } from "../admit.ts";
import type { Call } from "../core.ts";
import { encodeBody } from "../encode.ts";
import { trackFields } from "../managed.ts";
import { keepToPart } from "../parts.ts";
import { complete, validate } from "../rules.ts";
import { fromStored, ownCopy, readAhead, resourceNameOf, toStored } from "../stored.ts";
import { existing, notFoundError } from "./get.ts";
import { mayGo, remove } from "./remove.ts";

/** How often a write that loses every race is tried. */
const triesMax = 100;

export const staleMessage =
  "the object has been modified; please apply your changes to the latest version and try again";

/** Computes the new object. `own` is a copy of the present one, free to change and to return. */
export type Compute = (own: KubeObject, old: KubeObject) => KubeObject | Promise<KubeObject>;

export const conflictOf = (call: Call, why: string) =>
  conflict({ group: call.kind.group, resource: call.kind.plural }, call.info.name ?? "", why);

function checkIdentity(call: Call, metadata: Partial<ObjectMeta>, old: ObjectMeta) {
  if (metadata.resourceVersion && metadata.resourceVersion !== old.resourceVersion) {
    throw conflictOf(call, staleMessage);
  }
  if (metadata.uid && metadata.uid !== old.uid) {
    throw conflictOf(
      call,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.uid}`,
    );
  }
  const errors: FieldError[] = [];
  for (const field of ["name", "namespace"] as const) {
    if (!metadata[field] || metadata[field] === old[field]) continue;
    errors.push({
      type: "FieldValueInvalid",
      field: `metadata.${field}`,
      message: `Invalid value: ${JSON.stringify(metadata[field])}: field is immutable`,
    });
  }
  const added = (metadata.finalizers ?? []).filter((one) => !old.finalizers?.includes(one));
  if (old.deletionTimestamp && added.length > 0) {
    errors.push({
      type: "FieldValueForbidden",
      field: "metadata.finalizers",
      message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
        .map((one) => JSON.stringify(one))
        .join(", ")}}`,
    });
  }
  if (errors.length > 0) throw invalid(call.kind.kind, call.kind.group, old.name, errors);
}

/** What no client may change is as it was. */
function carryIdentity(metadata: ObjectMeta, old: ObjectMeta) {
  metadata.name = old.name;
  metadata.uid = old.uid;
  metadata.creationTimestamp = old.creationTimestamp;
  metadata.resourceVersion = old.resourceVersion;
  delete (metadata as any).selfLink;
  dropEmpty(metadata);
  for (const field of [
    "namespace",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ] as const) {
    if (old[field] === undefined) delete metadata[field];
    else (metadata as any)[field] = old[field];
  }
}

/** True when anything but metadata and status differs. */
function bodyDiffers(object: KubeObject, old: KubeObject) {
  const { metadata: _, status: __, ...mine } = object;
  const { metadata: ___, status: ____, ...theirs } = old;
  return !jsonEqual(mine, theirs);
}

/** The new object, judged and complete, and what undoes allocations made for it. */
async function next(call: Call, old: KubeObject, bytes: Uint8Array, compute: Compute) {
  const { kind } = call;
  let object = await compute(ownCopy(kind, bytes), old);
  checkIdentity(call, object.metadata, old.metadata);
  const request = admissionRequest(call, "UPDATE", object, old);
  object = await mutate(call, request);
  carryIdentity(object.metadata, old.metadata);
  object = keepToPart(kind, call.info.subresource, object, old);
  object = complete(call, object);
  kind.prepareForUpdate?.(object, old);
  // A pod's node is no wish of whoever made the pod.
  const wished = call.info.subresource !== "binding";
  if (wished && old.metadata.generation !== undefined && bodyDiffers(object, old)) {
    object.metadata.generation = old.metadata.generation + 1;
  }
  const undo = await call.core.allocators
    .get(resourceNameOf(kind))
    ?.allocate(object, old, call.options.dryRun === true);
  try {
    request.object = object;
    await validate(call, request);
    await admit(call, request);
    if (!call.applying) trackFields(call, object, old);
  } catch (error) {
    await undo?.();
    throw error;
  }
  return { object, undo };
}

/** The outcome: the stored entry, or the object a dry run would have stored. */
export type Modified = { entry: Entry } | { object: KubeObject };

async function write(
  call: Call,
  entry: Entry,
  object: KubeObject,
  old: KubeObject,
): Promise<Modified> {
  const { core, kind } = call;
  if (jsonEqual(object, old)) return { entry };
  if (call.options.dryRun) return { object };
  const stored = await toStored(kind, object);
  if (mayGo(object, old)) {
    const gone = await remove(call, entry, object, encodeBody(stored));
    await readAhead(kind, [gone.value]);
    return { entry: gone };
  }
  const options = kind.volatile ? { volatile: true } : undefined;
  const fresh = await core.store.update(entry.key, entry.revision, encodeBody(stored), options);
  await core.allocators.get(resourceNameOf(kind))?.settle(object, old);
  stored.metadata = { ...stored.metadata, resourceVersion: String(fresh.revision) };
  rememberParsed(fresh.value, stored);
  await readAhead(kind, [fresh.value]);
  return { entry: fresh };
}

/** Changes the object the call names. Throws NotFound, Conflict, Invalid. */
export async function modify(call: Call, compute: Compute, from?: Entry): Promise<Modified> {
  let entry = from ?? (await existing(call));
  for (let tries = 1; ; tries++) {
    const old = fromStored(call.kind, entry.value);
    const { object, undo } = await next(call, old, entry.value, compute);
    try {
      const modified = await write(call, entry, object, old);
      if (call.options.dryRun) await undo?.();
      return modified;
    } catch (error) {
      await undo?.();
      if (!(error instanceof RevisionMismatch)) throw error;
      if (!error.current) throw notFoundError(call);
      if (tries >= triesMax) throw conflictOf(call, staleMessage);
      entry = error.current;
      await readAhead(call.kind, [entry.value]);
    }
  }
}
