// Waits until an object is as wished, by watching it: what `kubectl wait` does.
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import { silent } from "../lib/log.ts";
import { StatusError } from "../lib/status-error.ts";
import { Cache } from "./cache.ts";
import type { Client, Target } from "./client.ts";
import { listAndWatch } from "./list-watch.ts";

export interface WaitOptions {
  clock: Clock;
  timeoutMs: number;
  signal?: AbortSignal;
}

/**
 * Resolves with the object (undefined stands for none) as soon as `holds` says so. Throws Timeout, or the
 * signal's reason.
 */
export async function waitFor<T extends KubeObject = KubeObject>(
  client: Client,
  target: Target & { name: string },
  holds: (object: T | undefined) => boolean,
  { clock, timeoutMs, signal }: WaitOptions,
): Promise<T | undefined> {
  const { name, ...all } = target;
  const stopped = new AbortController();
  let found: { object: T | undefined } | undefined;
  const look = (object: KubeObject | undefined) => {
    if (found || !holds(object as T | undefined)) return;
    found = { object: object as T | undefined };
    stopped.abort();
  };
  const key = target.namespace ? `${target.namespace}/${name}` : name;
  const cache = new Cache();
  const cancel = clock.after(timeoutMs, () => stopped.abort());
  await listAndWatch({
    client,
    target: all,
    fieldSelector: `metadata.name=${name}`,
    clock,
    log: silent,
    signal: signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal,
    cache,
    changed: (_, after) => look(after),
    synced: () => look(cache.get(key) as KubeObject | undefined),
  });
  cancel();
  if (found) return found.object;
  signal?.throwIfAborted();
  throw new StatusError(
    "Timeout",
    `timed out waiting for ${target.resource} ${JSON.stringify(name)}`,
  );
}
