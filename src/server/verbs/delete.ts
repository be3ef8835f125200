// DELETE. An object goes at once unless something holds it: a grace period (pods), a finalizer, or the
// deletion of its dependents in the foreground. Then it is marked, and whoever holds it lets go later.
import { timestamp } from "../../lib/clock.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isObject } from "../../lib/json.ts";
import { badRequest } from "../../lib/status-error.ts";
import { RevisionMismatch, type Entry } from "../../store/store.ts";
import { admissionRequest, admit } from "../admit.ts";
import { readDocument } from "../body.ts";
import type { Call } from "../core.ts";
import { deletionOptions, type DeletionOptions } from "../deletion-options.ts";
import { markDeleted } from "../deletion.ts";
import { encodeBody, reopenBody } from "../encode.ts";
import type { ApiResponse } from "../request.ts";
import { respondStored, respondWith } from "../respond.ts";
import { fromStored, ownCopy, readAhead, toStored } from "../stored.ts";
import { existing, notFoundError } from "./get.ts";
import { conflictOf } from "./modify.ts";
import { remove } from "./remove.ts";

export interface Deleted {
  entry: Entry;
  /** True when it is gone, false when it is marked. */
  gone: boolean;
}

function checkPreconditions(call: Call, options: DeletionOptions, { metadata }: KubeObject) {
  const { uid, resourceVersion } = options.preconditions;
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflictOf(
      call,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflictOf(
      call,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`,
    );
  }
}

async function attempt(call: Call, entry: Entry, options: DeletionOptions): Promise<Deleted> {
  const { core, kind } = call;
  const old = fromStored(kind, entry.value);
  checkPreconditions(call, options, old);
  const request = admissionRequest(call, "DELETE", undefined, old);
  for (const plugin of core.admission) await plugin.mutate?.(request);
  await admit(call, request);
  const own = ownCopy(kind, entry.value);
  const verdict = markDeleted(kind, own, options, timestamp(core.clock.now()));
  if (call.options.dryRun || verdict === "unchanged") return { entry, gone: verdict === "gone" };
  if (verdict === "gone") {
    const gone = await remove(call, entry, old, reopenBody(entry.value));
    await readAhead(kind, [gone.value]);
    return { entry: gone, gone: true };
  }
  const body = encodeBody(await toStored(kind, own));
  const marked = await core.store.update(entry.key, entry.revision, body);
  await readAhead(kind, [marked.value]);
  return { entry: marked, gone: false };
}

/** Deletes or marks the object in `from`, or the one the call names. */
export async function deleteObject(
  call: Call,
  options: DeletionOptions,
  from?: Entry,
): Promise<Deleted> {
  let entry = from ?? (await existing(call));
  for (;;) {
    try {
      return await attempt(call, entry, options);
    } catch (error) {
      if (!(error instanceof RevisionMismatch)) throw error;
      if (!error.current) throw notFoundError(call);
      entry = error.current;
      await readAhead(call.kind, [entry.value]);
    }
  }
}

/** Kinds whose deletion answers with the object instead of a Status, as upstream. */
const answersObject = new Set([
  "pods",
  "services",
  "serviceaccounts",
  "persistentvolumes",
  "persistentvolumeclaims",
  "podtemplates",
  "resourcequotas",
]);

export function successStatus(call: Call, { metadata }: KubeObject) {
  const { group, plural } = call.kind;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name: metadata.name, ...(group && { group }), kind: plural, uid: metadata.uid },
  };
}

/** DeleteOptions from the body and the query. */
export function readDeletion(call: Call): DeletionOptions {
  const { value } = readDocument(call.request);
  if (value !== undefined && value !== null && !isObject(value)) {
    throw badRequest("the request body must be a DeleteOptions object");
  }
  const options = deletionOptions(value ?? {}, call.request.query);
  if (options.dryRun) call.options = { ...call.options, dryRun: true };
  call.options.raw = { ...call.options.raw, ...value };
  return options;
}

export async function deleteOne(call: Call): Promise<ApiResponse> {
  const { entry, gone } = await deleteObject(call, readDeletion(call));
  if (!gone || (call.kind.group === "" && answersObject.has(call.kind.plural))) {
    return respondStored(call, 200, entry.value);
  }
  return respondWith(call, 200, successStatus(call, fromStored(call.kind, entry.value)));
}
