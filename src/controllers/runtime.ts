// What a controller is. A controller declares what it reads and what it writes as data; the runtime
// starts its informers, keeps its queue and calls `reconcile` with a key, never with an event:
// level-triggered, idempotent, woken by signal and by timer. A failure is retried with back-off by the
// queue; `reconcile` itself never retries.
import type { Client, Resource } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";

/** `namespace/name`, or `name` for a cluster-scoped object. */
export type Key = string;

export interface Input {
  resource: Resource;
  /** The keys an object of this input wakes; default: its own key. `previous` is its state before, if any. */
  keys?: (object: KubeObject, context: ControllerContext, previous?: KubeObject) => Key[];
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ControllerContext {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  signal: AbortSignal;
  /** The informer of a declared input; throws for one that was not declared. */
  informer(resource: Resource): Informer;
  /** Records an Event about `object`. Never throws. */
  event(object: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void;
  /** Wakes `key` again after `ms`. */
  wakeAfter(key: Key, ms: number): void;
}

export interface Controller {
  /** Kebab-case, the name of its file. */
  name: string;
  inputs: Input[];
  /** Resources it writes, for its RBAC and for the graph. `resource/subresource` is written as a plural with a slash. */
  outputs: Resource[];
  reconcile(key: Key, context: ControllerContext): Promise<void>;
  /** Wake every known key of the first input this often, besides signals. */
  resyncMs?: number;
  /** Reconcile at most this many keys at once (default 4). */
  workers?: number;
}
