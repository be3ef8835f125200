// Keeps a cache true by listing and watching one resource (client-go's reflector, in short). A watch that
// ends is taken up again from the last revision; one that is too old starts over with a list, and what
// went missing meanwhile is told as deletes.
import type { KubeObject } from "../kinds/object.ts";
import { backoffMs } from "../lib/backoff.ts";
import { sleep } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isStatus, StatusError } from "../lib/status-error.ts";
import { keyOf } from "./cache.ts";
import type { Cache } from "./cache.ts";
import type { Client, Target, WatchEvent } from "./client.ts";

export interface ListWatchOptions {
  client: Client;
  target: Target;
  labelSelector?: string;
  fieldSelector?: string;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  cache: Cache;
  /** What of an object is kept; default: all of it. */
  keep?: (object: KubeObject) => KubeObject;
  /** Told of each change: before is absent for an add, after for a delete. */
  changed: (before: KubeObject | undefined, after: KubeObject | undefined) => void;
  /** Told when a first list is complete. */
  synced: () => void;
}

const delays = { firstMs: 100, maxMs: 30_000 };
const pageItems = 500;

/** Runs until the signal aborts. */
export async function listAndWatch(options: ListWatchOptions): Promise<void> {
  const { signal, clock, log, target } = options;
  let failures = 0;
  let revision: string | undefined;
  while (!signal.aborted) {
    try {
      revision ??= await listAll(options);
      options.synced();
      revision = await follow(options, revision, () => (failures = 0));
    } catch (error) {
      if (signal.aborted) return;
      if (isStatus(error, "Expired", "Gone")) revision = undefined;
      failures += 1;
      log.debug("list and watch failed", { resource: target.resource, error: String(error) });
      await sleep(clock, backoffMs(failures, delays), signal).catch(() => {});
    }
  }
}

async function listAll(options: ListWatchOptions): Promise<string> {
  const { client, target, cache, signal, labelSelector, fieldSelector } = options;
  const select = {
    ...(labelSelector && { labelSelector }),
    ...(fieldSelector && { fieldSelector }),
  };
  const seen = new Set<string>();
  let next: string | undefined;
  let revision = "";
  do {
    const page = await client.list(target, {
      ...select,
      limit: pageItems,
      signal,
      ...(next && { continue: next }),
    });
    for (const object of page.items) {
      seen.add(keyOf(object));
      put(options, object);
    }
    revision = page.metadata.resourceVersion;
    next = page.metadata.continue;
  } while (next);
  for (const key of cache.keys()) if (!seen.has(key)) remove(options, key);
  return revision;
}

/** Applies a watch until it ends; returns the revision to go on from. */
async function follow(options: ListWatchOptions, from: string, progress: () => void) {
  const { client, target, signal, labelSelector, fieldSelector } = options;
  const select = {
    ...(labelSelector && { labelSelector }),
    ...(fieldSelector && { fieldSelector }),
  };
  const watch = { ...select, resourceVersion: from, allowWatchBookmarks: true, signal };
  let revision = from;
  for await (const event of client.watch(target, watch)) {
    progress();
    apply(options, event);
    revision = event.object.metadata.resourceVersion;
  }
  return revision;
}

function apply(options: ListWatchOptions, event: WatchEvent) {
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
      return put(options, event.object);
    case "DELETED":
      return remove(options, keyOf(event.object), event.object);
    case "BOOKMARK":
      return undefined;
    case "ERROR":
      throw StatusError.from(event.object);
  }
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
