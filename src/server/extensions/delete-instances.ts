// The objects of a definition that is being deleted go first, each as if its own deletion had been
// asked for.
import type { Kind } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { RevisionMismatch, type Entry, type Store } from "../../store/store.ts";
import type { DeletionOptions } from "../deletion-options.ts";
import { markDeleted } from "../deletion.ts";
import { encodeBody, reopenBody } from "../encode.ts";
import { prefixOf } from "../stored.ts";

const options: DeletionOptions = {
  gracePeriodSeconds: undefined,
  propagationPolicy: "Background",
  preconditions: {},
  dryRun: false,
};

/** Objects deleted at a time. */
const pageEntries = 256;

/** Deletes or marks every object of `kind`. Returns how many remain, held by their finalizers. */
export async function deleteInstances(store: Store, kind: Kind, now: string): Promise<number> {
  let remaining = 0;
  let after: string | undefined;
  do {
    const page = await store.list(prefixOf(kind), { limit: pageEntries, ...(after && { after }) });
    const left = await Promise.all(page.entries.map((entry) => deleteOne(store, kind, entry, now)));
    remaining += left.filter(Boolean).length;
    after = page.next;
  } while (after !== undefined);
  return remaining;
}

/** True when the object remains. */
async function deleteOne(store: Store, kind: Kind, entry: Entry, now: string): Promise<boolean> {
  // As it lies, at whatever version: only its metadata matters and changes.
  const object = structuredClone(parseShared<KubeObject>(entry.value));
  if (object.metadata.deletionTimestamp) return true;
  const verdict = markDeleted(kind, object, options, now);
  try {
    if (verdict === "gone") {
      await store.delete(entry.key, entry.revision, reopenBody(entry.value));
      return false;
    }
    if (verdict === "marked") {
      await store.update(entry.key, entry.revision, encodeBody(object));
    }
    return true;
  } catch (error) {
    if (!(error instanceof RevisionMismatch)) throw error;
    if (!error.current) return false;
    return deleteOne(store, kind, error.current, now);
  }
}
