// What a controller is. A controller declares what it reads and what it writes as data; the runtime
// starts its informers, keeps its queue and calls `reconcile` with a key, never with an event:
// level-triggered, idempotent, woken by signal and by timer. A failure is retried with back-off by the
// queue; `reconcile` itself never retries.
import { keyOf } from "../client/cache.ts";
import type { Client, Resource } from "../client/client.ts";
import { eventRecorder } from "../client/events.ts";
import type { RecordEvent } from "../client/events.ts";
import type { Informer } from "../client/informer.ts";
import { resourceKey } from "../client/informers.ts";
import type { Informers } from "../client/informers.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { WorkQueue } from "../lib/work-queue.ts";

/** `namespace/name`, or `name` for a cluster-scoped object. */
export type Key = string;

export interface Input {
  resource: Resource;
  /** The keys an object of this input wakes; default: its own key. `previous` is its state before, if any. */
  keys?: (object: KubeObject, context: ControllerContext, previous?: KubeObject) => Key[];
  /** Default: all of them. */
  namespace?: string;
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
  event: RecordEvent;
  /** What the server serves now, CustomResourceDefinitions included. */
  discover(): Promise<DiscoveredResource[]>;
  /** Wakes `key` again after `ms`. */
  wakeAfter(key: Key, ms: number): void;
}

export interface DiscoveredResource extends Resource {
  kind: string;
  namespaced: boolean;
  verbs: string[];
  /** Served by another server, which may be away. */
  remote?: boolean;
}

export interface Controller {
  /** Kebab-case, the name of its file. */
  name: string;
  inputs: Input[];
  /** Resources it writes, for its RBAC and for the graph. `resource/subresource` is written as a plural with a slash. */
  outputs: Resource[];
  reconcile(key: Key, context: ControllerContext): Promise<void>;
  /** Called once when the inputs are complete, before the first key: to add indexes. */
  start?(context: ControllerContext): void | Promise<void>;
  /** Wake every known key of the first input this often, besides signals. */
  resyncMs?: number;
  /** Reconcile at most this many keys at once (default 4). */
  workers?: number;
}

export interface ControllersOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
  /** All informers of the process, so that ten readers of a resource share one. */
  informers: Informers;
  /** Every listable resource that the server has now, from discovery. */
  discover: () => Promise<DiscoveredResource[]>;
  /** Told of every reconcile, for metrics. */
  observe?: (reconciled: { controller: string; ms: number; failed: boolean }) => void;
}

const workersDefault = 4;
/** A key that fails more often than this is worth a warning. */
const quietFailures = 3;

/** The outputs that more than one controller writes, with their writers. */
export function sharedOutputs(controllers: Controller[]): Map<string, string[]> {
  const writers = new Map<string, string[]>();
  for (const { name, outputs } of controllers) {
    for (const output of outputs) {
      const key = resourceKey(output);
      writers.set(key, [...(writers.get(key) ?? []), name]);
    }
  }
  return new Map([...writers].filter(([, names]) => names.length > 1));
}

function eachKey(input: Input, context: ControllerContext, wake: (key: Key) => void) {
  const keys = input.keys ?? ((object: KubeObject) => [keyOf(object)]);
  return (object: KubeObject, previous?: KubeObject) => {
    for (const key of keys(object, context, previous)) wake(key);
  };
}

function queueOf(
  controller: Controller,
  context: () => ControllerContext,
  options: ControllersOptions,
) {
  const { clock, log, observe } = options;
  const { name } = controller;
  return new WorkQueue({
    clock,
    workers: controller.workers ?? workersDefault,
    work: async (key) => {
      const began = clock.monotonic();
      let failed = true;
      try {
        await controller.reconcile(key, context());
        failed = false;
      } finally {
        observe?.({ controller: name, ms: clock.monotonic() - began, failed });
      }
    },
    onError: (key, error, failures) =>
      log[failures > quietFailures ? "warn" : "debug"]("reconcile failed", {
        key,
        failures,
        error: String(error),
      }),
  });
}

/** Wakes the keys of every object of `input`, now and whenever one changes. */
function subscribe(input: Input, context: ControllerContext, queue: WorkQueue, informer: Informer) {
  const wake = eachKey(input, context, (key) => queue.add(key));
  return informer.subscribe({
    onAdd: (object) => wake(object),
    onUpdate: (object, previous) => wake(object, previous),
    onDelete: (object) => wake(object),
  });
}

async function startController(controller: Controller, options: ControllersOptions) {
  const { client, clock, random, scope, informers, discover } = options;
  const { name, inputs, resyncMs } = controller;
  const log = options.log.with({ controller: name });
  const queue = queueOf(controller, () => context, { ...options, log });
  const own = new Map(inputs.map((input) => [resourceKey(input.resource), informers.get(input)]));
  const context: ControllerContext = {
    client,
    clock,
    random,
    log,
    signal: scope.signal,
    discover,
    informer: (wanted) => {
      const informer = own.get(resourceKey(wanted));
      if (informer) return informer;
      throw new Error(`${name} reads ${wanted.resource} but does not declare it`);
    },
    event: eventRecorder({ client, clock, random, log, component: `${name}-controller` }),
    wakeAfter: (key, ms) => queue.addAfter(key, ms),
  };
  await Promise.all(inputs.map((input) => informers.get(input).synced()));
  await controller.start?.(context);
  for (const input of inputs) {
    scope.defer(subscribe(input, context, queue, informers.get(input)));
  }
  const [first] = inputs;
  if (resyncMs !== undefined && first) {
    const wake = eachKey(first, context, (key) => queue.add(key));
    const all = () =>
      informers
        .get(first)
        .list()
        .forEach((object) => wake(object));
    scope.defer(clock.every(resyncMs, all));
  }
  scope.defer(() => queue.stop());
}

/** Resolves once every controller has seen its inputs whole and works. */
export async function startControllers(controllers: Controller[], options: ControllersOptions) {
  for (const [output, writers] of sharedOutputs(controllers)) {
    options.log.debug("an output has several writers", { output, writers });
  }
  await Promise.all(controllers.map((controller) => startController(controller, options)));
}
