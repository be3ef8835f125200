// From the store's events to a watcher's. An object that begins or ceases to match a selection is ADDED
// or DELETED for that watcher. The line of an event is built once and shared by every watcher of it.
import type { Kind } from "../kinds/kind.ts";
import { apiVersionOf } from "../kinds/kind.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { StoreEvent } from "../store/store.ts";
import type { Selection } from "./selection.ts";
import { fromStored, isNative, shownBytes } from "./stored.ts";

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED";

/** A change as one watcher sees it. */
export interface Change {
  type: ChangeType;
  /** Stored bytes of the object. */
  bytes: Uint8Array;
  /** The event it comes from; absent for initial objects. */
  event?: StoreEvent;
}

const types = { create: "ADDED", update: "MODIFIED", delete: "DELETED" } as const;

/** The last matching state of an object that ceased to match, with the revision of the change. */
const left = new WeakMap<StoreEvent, Uint8Array>();

function leftBytes(event: StoreEvent): Uint8Array {
  let bytes = left.get(event);
  if (!bytes) {
    const object = JSON.parse(Buffer.from(event.previous!).toString()) as KubeObject;
    object.metadata.resourceVersion = String(event.revision);
    bytes = Buffer.from(JSON.stringify(object));
    left.set(event, bytes);
  }
  return bytes;
}

/** The change `event` is to a watcher with this selection; undefined when it is none. */
export function changeOf(
  event: StoreEvent,
  kind: Kind,
  selection: Selection | undefined,
): Change | undefined {
  if (!selection) return { type: types[event.type], bytes: event.value, event };
  if (selection.name !== undefined && !event.key.endsWith(`/${selection.name}`)) return undefined;
  const matches = (bytes: Uint8Array | undefined) =>
    bytes !== undefined && selection.matches(fromStored(kind, bytes));
  if (event.type === "delete") {
    const was = matches(event.previous ?? event.value);
    return was ? { type: "DELETED", bytes: event.value, event } : undefined;
  }
  const was = matches(event.previous);
  if (matches(event.value)) return { type: was ? "MODIFIED" : "ADDED", bytes: event.value, event };
  return was ? { type: "DELETED", bytes: leftBytes(event), event } : undefined;
}

const heads: Record<ChangeType, Buffer> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
};
const tail = Buffer.from("}\n");

const lines = new WeakMap<Uint8Array, Partial<Record<ChangeType, Buffer>>>();

/** The JSON line of a change; shared by all watchers of the same event. */
export function lineOf(change: Change, kind: Kind): Uint8Array {
  if (!change.event || !isNative(kind, change.bytes)) {
    return Buffer.concat([heads[change.type], shownBytes(kind, change.bytes), tail]);
  }
  let known = lines.get(change.bytes);
  if (!known) lines.set(change.bytes, (known = {}));
  return (known[change.type] ??= Buffer.concat([heads[change.type], change.bytes, tail]));
}

/** The object of a BOOKMARK: nothing but how far the watcher is. */
export const bookmarkOf = (kind: Kind, revision: number, initialEventsEnd: boolean) => ({
  kind: kind.kind,
  apiVersion: apiVersionOf(kind),
  metadata: {
    resourceVersion: String(revision),
    creationTimestamp: null,
    ...(initialEventsEnd && { annotations: { "k8s.io/initial-events-end": "true" } }),
  },
});
