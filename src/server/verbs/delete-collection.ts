// DELETE of everything a selection finds, many at a time: each deletion waits for the disk, and the store
// commits those that wait together.
import { eachAtOnce } from "../../lib/each-at-once.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Entry } from "../../store/store.ts";
import { apiVersionOf } from "../../kinds/kind.ts";
import type { Call } from "../core.ts";
import type { ApiResponse } from "../request.ts";
import { respondWith } from "../respond.ts";
import { fromStored } from "../stored.ts";
import { deleteObject, readDeletion } from "./delete.ts";
import { listEntries } from "./list.ts";

/** Deletions under way at once. */
const parallelMax = 256;

export async function deleteCollection(call: Call): Promise<ApiResponse> {
  const options = readDeletion(call);
  const page = await listEntries(call);
  const deleted: Entry[] = [];
  const remove = async (entry: Entry) => {
    const { metadata } = fromStored(call.kind, entry.value);
    const one = { ...call, info: { ...call.info, name: metadata.name } };
    try {
      deleted.push((await deleteObject(one, options, entry)).entry);
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  };
  await eachAtOnce(page.entries, remove, { max: parallelMax });
  return respondWith(call, 200, {
    kind: call.kind.listKind,
    apiVersion: apiVersionOf(call.kind),
    metadata: { resourceVersion: String(call.core.store.revision()) },
    items: deleted.map((entry) => fromStored(call.kind, entry.value)),
  });
}
