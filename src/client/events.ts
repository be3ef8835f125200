// Writes Events about objects, sparingly: the same event again only raises a count, and a source that
// talks too much is cut off for a while. Never throws: an event is a courtesy.
import type { KubeObject } from "../kinds/object.ts";
import { sleep, timestamp } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";

const events = resource("v1", "events");
/** Distinct events remembered for counting. */
const rememberedMax = 1000;
/** Characters of an object's name that its events' names begin with. */
const nameMax = 200;
/** Whoever tells has more to do; what he does is not to wait for what is said of it. */
const laterMs = 25;
/** A burst that one object may have, and how fast it gets tokens back. */
const burstMax = 25;
const tokenMs = 5000;

export type RecordEvent = (
  object: KubeObject,
  type: "Normal" | "Warning",
  reason: string,
  message: string,
) => void;

export interface RecorderOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  /** `source.component`, `kubelet`. */
  component: string;
  host?: string;
}

interface Seen {
  name: string;
  namespace: string;
  count: number;
  /** Ends when the write before has ended, so that counts arrive in order. */
  written: Promise<unknown>;
}

/** Lets each object have a burst of events, and then one every `tokenMs`. */
class Limiter {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(uid: string): boolean {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(uid) ?? { tokens: burstMax, at: now };
    const gained = Math.floor((now - bucket.at) / tokenMs);
    bucket.tokens = Math.min(burstMax, bucket.tokens + gained);
    bucket.at += gained * tokenMs;
    if (this.#buckets.size >= rememberedMax) this.#buckets.clear();
    this.#buckets.set(uid, bucket);
    if (bucket.tokens <= 0) return false;
    bucket.tokens -= 1;
    return true;
  }
}

interface Told {
  object: KubeObject;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

function draftOf({ object, type, reason, message }: Told, options: RecorderOptions) {
  const { clock, random, component, host } = options;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace, uid, resourceVersion } = metadata;
  const now = timestamp(clock.now());
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name.slice(0, nameMax)}.${clock.now().toString(16)}${random.suffix(5)}`,
      namespace: namespace ?? "default",
    },
    involvedObject: {
      apiVersion,
      kind,
      name,
      ...(namespace && { namespace }),
      uid,
      // Of a node that is named by itself there is none.
      ...(resourceVersion && { resourceVersion }),
    },
    type,
    reason,
    message,
    source: { component, ...(host && { host }) },
    reportingComponent: component,
    reportingInstance: host ?? component,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

export function eventRecorder(options: RecorderOptions): RecordEvent {
  const { client, clock, log } = options;
  const seen = new Map<string, Seen>();
  const limiter = new Limiter(clock);

  const create = (told: Told): Seen => {
    const event = draftOf(told, options);
    const { name, namespace } = event.metadata;
    const written = sleep(clock, laterMs).then(() =>
      client.create({ ...events, namespace }, event),
    );
    return { name, namespace, count: 1, written };
  };

  const repeat = (before: Seen) => {
    before.count += 1;
    const target = { ...events, namespace: before.namespace, name: before.name };
    const patch = { count: before.count, lastTimestamp: timestamp(clock.now()) };
    before.written = before.written.then(() => client.patch(target, "merge", patch));
  };

  return (object, type, reason, message) => {
    const { uid } = object.metadata;
    if (!limiter.take(uid)) return;
    const key = `${uid}/${type}/${reason}/${message}`;
    const known = seen.get(key);
    if (seen.size >= rememberedMax) seen.clear();
    const entry = known ?? create({ object, type, reason, message });
    if (known) repeat(known);
    seen.set(key, entry);
    entry.written.catch((error: Error) => {
      seen.delete(key);
      log.debug("an event was not written", { reason, error: error.message });
    });
  };
}
