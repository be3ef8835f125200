// The end of an object: when it may go, and its going.
import type { KubeObject } from "../../kinds/object.ts";
import type { Body, Entry } from "../../store/store.ts";
import type { Call } from "../core.ts";
import { resourceNameOf } from "../stored.ts";

/** Namespaces hold a second list of finalizers, in their spec. */
export const holds = (object: KubeObject) =>
  (object.metadata.finalizers?.length ?? 0) > 0 ||
  (object.kind === "Namespace" &&
    object.apiVersion === "v1" &&
    (object.spec?.finalizers?.length ?? 0) > 0);

/** True when an update of a terminating object took away the last thing that held it. */
export const mayGo = (object: KubeObject, old: KubeObject) =>
  old.metadata.deletionTimestamp !== undefined &&
  !holds(object) &&
  (old.metadata.deletionGracePeriodSeconds ?? 0) === 0;

/** Deletes the entry; `body` is what its watchers are told last. */
export async function remove(call: Call, entry: Entry, object: KubeObject, body: Body) {
  const { core, kind } = call;
  const options = kind.volatile ? { volatile: true } : undefined;
  const gone = await core.store.delete(entry.key, entry.revision, body, options);
  await core.allocators.get(resourceNameOf(kind))?.release(object);
  return gone;
}
