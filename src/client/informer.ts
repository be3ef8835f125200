// A cache of one resource, kept true by list and watch. Objects in it are shared and lack their managed
// fields: never change one.
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Scope } from "../lib/scope.ts";
import { Cache } from "./cache.ts";
import type { Client, Resource } from "./client.ts";
import { listAndWatch } from "./list-watch.ts";

export interface InformerEvents {
  onAdd?: (object: KubeObject) => void;
  onUpdate?: (object: KubeObject, previous: KubeObject) => void;
  onDelete?: (object: KubeObject) => void;
}

export interface Informer<T extends KubeObject = KubeObject> {
  /** Resolves once the first list is complete. */
  synced(): Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  /** All of a namespace, or all. */
  list(namespace?: string): T[];
  /** Objects whose index function `name` gave `value`; see `addIndex`. */
  byIndex(name: string, value: string): T[];
  addIndex(name: string, values: (object: T) => string[]): void;
  /** Existing objects are told as adds. Returns its stop. */
  subscribe(events: InformerEvents): () => void;
}

export interface InformerOptions {
  client: Client;
  resource: Resource;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  lists?: boolean;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** An object without its managed fields, which nobody here reads and which weigh as much as the rest. */
const light = new WeakMap<KubeObject, KubeObject>();

/** The light form of `object`; one for all informers that share the object. */
function lightened(object: KubeObject): KubeObject {
  if (!object.metadata.managedFields) return object;
  let kept = light.get(object);
  if (!kept) {
    const { managedFields: _, ...metadata } = object.metadata;
    light.set(object, (kept = { ...object, metadata }));
  }
  return kept;
}

function tell(events: InformerEvents, before?: KubeObject, after?: KubeObject) {
  if (after && before) events.onUpdate?.(after, before);
  else if (after) events.onAdd?.(after);
  else if (before) events.onDelete?.(before);
}

/** Starts at once; stops with the scope. */
export function createInformer<T extends KubeObject = KubeObject>(
  options: InformerOptions,
): Informer<T> {
  const { resource, namespace, scope, labelSelector, fieldSelector, log } = options;
  const cache = new Cache();
  const subscribers = new Set<InformerEvents>();
  let synced = () => {};
  const whenSynced = new Promise<void>((resolve) => (synced = resolve));
  const changed = (before?: KubeObject, after?: KubeObject) => {
    for (const events of subscribers) {
      try {
        tell(events, before, after);
      } catch (error) {
        log.error("an informer's listener failed", {
          resource: resource.resource,
          error: String(error),
        });
      }
    }
  };
  void listAndWatch({
    client: options.client,
    target: { ...resource, ...(namespace !== undefined && { namespace }) },
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
    ...(options.lists && { lists: true }),
    clock: options.clock,
    log,
    signal: scope.signal,
    cache,
    keep: lightened,
    changed,
    synced,
  });
  return {
    synced: () => whenSynced,
    get: (name, inNamespace) =>
      cache.get(inNamespace ? `${inNamespace}/${name}` : name) as T | undefined,
    list: (inNamespace) => cache.list(inNamespace) as T[],
    byIndex: (name, value) => cache.byIndex(name, value) as T[],
    addIndex: (name, values) => cache.addIndex(name, values),
    subscribe: (events) => {
      for (const object of cache.list()) tell(events, undefined, object);
      subscribers.add(events);
      return () => void subscribers.delete(events);
    },
  };
}
