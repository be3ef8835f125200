// Keeps a cache true by listing and watching one resource (client-go's reflector, in short). The objects
// that exist come as the first events of a watch (KEP-3157), or page by page from servers that cannot do
// that. A watch that ends is taken up again from the last revision; one that is too old starts over, and
// what went missing meanwhile is told as deletes.
import type { KubeObject } from "../kinds/object.ts";
import { backoffMs } from "../lib/backoff.ts";
import { sleep } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isStatus, StatusError } from "../lib/status-error.ts";
import { keyOf } from "./cache.ts";
import type { Cache } from "./cache.ts";
import type { Client, Target } from "./client.ts";

export interface ListWatchOptions {
  client: Client;
  target: Target;
  labelSelector?: string;
  fieldSelector?: string;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  cache: Cache;
  /** Lists first, page by page, which servers compress: for thin links. */
  lists?: boolean;
  /** What of an object is kept; default: all of it. */
  keep?: (object: KubeObject) => KubeObject;
  /** Told of each change: before is absent for an add, after for a delete. */
  changed: (before: KubeObject | undefined, after: KubeObject | undefined) => void;
  /** Told whenever the cache is complete, the first time and after each new start. */
  synced: () => void;
}

const delays = { firstMs: 100, maxMs: 30_000 };
const pageItems = 500;
/** A watch that ends sooner than this counts as a failure, or a server that ends all would be hammered. */
const watchMsMin = 1000;
const quietFailures = 3;

/** How servers say that they do not stream lists; kube-apiserver over an etcd before 3.4.25 by an internal error. */
const cannotStream = ["BadRequest", "Invalid", "Forbidden", "InternalError"] as const;

interface State {
  /** What the cache is true at; absent when it has to start over. */
  revision: string | undefined;
  /** The server sends what exists as the first events of a watch. */
  streams: boolean;
  failures: number;
}

/** Runs until the signal aborts. */
export async function listAndWatch(options: ListWatchOptions): Promise<void> {
  const { signal, clock, log, target } = options;
  const state: State = { revision: undefined, streams: !options.lists, failures: 0 };
  while (!signal.aborted) {
    const began = clock.monotonic();
    try {
      if (!state.streams) state.revision ??= await listAll(options);
      await follow(options, state);
      if (clock.monotonic() - began >= watchMsMin) continue;
      state.failures += 1;
    } catch (error) {
      if (signal.aborted) return;
      if (state.revision === undefined && isStatus(error, ...cannotStream)) state.streams = false;
      if (isStatus(error, "Expired", "Gone") && state.revision !== undefined) startOver(state);
      state.failures += 1;
      const fields = { resource: target.resource, error: String(error) };
      log[state.failures > quietFailures ? "warn" : "debug"]("list and watch failed", fields);
    }
    await rest(options, backoffMs(state.failures, delays));
  }
}

/** Until the server is back, if it is known to be away. */
async function rest({ client: { reach }, clock, signal }: ListWatchOptions, ms: number) {
  const back = new AbortController();
  const wasAway = reach?.isAway();
  const stop = reach?.onChange(() => {
    if (wasAway && !reach.isAway()) back.abort();
  });
  await sleep(clock, ms, AbortSignal.any([signal, back.signal])).catch(() => {});
  stop?.();
}

/** A server that was away and is back from a backup answers: nobody waits any more. */
function startOver(state: State) {
  state.revision = undefined;
  state.failures = 0;
}

const selection = ({ labelSelector, fieldSelector, signal }: ListWatchOptions) => ({
  ...(labelSelector && { labelSelector }),
  ...(fieldSelector && { fieldSelector }),
  signal,
});

async function listAll(options: ListWatchOptions): Promise<string> {
  const seen = new Set<string>();
  let next: string | undefined;
  let revision = "";
  do {
    const page = await options.client.list(options.target, {
      ...selection(options),
      limit: pageItems,
      ...(next && { continue: next }),
    });
    for (const object of page.items) {
      seen.add(keyOf(object));
      put(options, object);
    }
    revision = page.metadata.resourceVersion;
    next = page.metadata.continue;
  } while (next);
  sweep(options, seen);
  return revision;
}

/** Applies a watch until it ends; without a revision, what exists comes first. */
async function follow(options: ListWatchOptions, state: State) {
  const { revision } = state;
  const from = revision === undefined ? { sendInitialEvents: true } : { resourceVersion: revision };
  let seen = revision === undefined ? new Set<string>() : undefined;
  const watch = { ...selection(options), ...from, allowWatchBookmarks: true };
  for await (const { type, object } of options.client.watch(options.target, watch)) {
    if (type === "ERROR") throw StatusError.from(object);
    if (type === "DELETED") {
      seen?.delete(keyOf(object));
      remove(options, keyOf(object), object);
    } else if (type !== "BOOKMARK") {
      seen?.add(keyOf(object));
      put(options, object);
    } else if (seen && object.metadata.annotations?.["k8s.io/initial-events-end"] === "true") {
      sweep(options, seen);
      seen = undefined;
    }
    state.failures = 0;
    if (!seen) state.revision = object.metadata.resourceVersion;
  }
}

/** Removes what no longer exists; then the cache is complete. */
function sweep(options: ListWatchOptions, seen: Set<string>) {
  for (const key of options.cache.keys()) if (!seen.has(key)) remove(options, key);
  options.synced();
}

function put({ cache, changed, keep }: ListWatchOptions, object: KubeObject) {
  const kept = keep ? keep(object) : object;
  const before = cache.set(keyOf(kept), kept);
  if (before?.metadata.resourceVersion !== kept.metadata.resourceVersion) changed(before, kept);
}

function remove({ cache, changed }: ListWatchOptions, key: string, last?: KubeObject) {
  const before = cache.set(key, undefined);
  if (before) changed(last ?? before, undefined);
}
