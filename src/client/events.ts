// Writes Events about objects, sparingly: the same event again only raises a count, and a source that
// talks too much is cut off for a while. Never throws: an event is a courtesy.
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";

const events = resource("v1", "events");
/** Distinct events remembered for counting. */
const rememberedMax = 1000;
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

interface Bucket {
  tokens: number;
  at: number;
}

export function eventRecorder(options: RecorderOptions): RecordEvent {
  const { client, clock, random, log, component, host } = options;
  const seen = new Map<string, Seen>();
  const buckets = new Map<string, Bucket>();

  const allowed = (uid: string) => {
    const now = clock.monotonic();
    const bucket = buckets.get(uid) ?? { tokens: burstMax, at: now };
    const gained = Math.floor((now - bucket.at) / tokenMs);
    bucket.tokens = Math.min(burstMax, bucket.tokens + gained);
    bucket.at += gained * tokenMs;
    if (buckets.size >= rememberedMax) buckets.clear();
    buckets.set(uid, bucket);
    if (bucket.tokens <= 0) return false;
    bucket.tokens -= 1;
    return true;
  };

  const create = (object: KubeObject, type: string, reason: string, message: string): Seen => {
    const namespace = object.metadata.namespace ?? "default";
    const name = `${object.metadata.name.slice(0, 200)}.${clock.now().toString(16)}${random.suffix(5)}`;
    const now = timestamp(clock.now());
    const { apiVersion, kind, metadata } = object;
    const involvedObject = {
      apiVersion,
      kind,
      name: metadata.name,
      ...(metadata.namespace && { namespace: metadata.namespace }),
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
    };
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject,
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
    const written = client.create({ ...events, namespace }, event);
    return { name, namespace, count: 1, written };
  };

  const repeat = (before: Seen) => {
    before.count += 1;
    const target = { ...events, namespace: before.namespace, name: before.name };
    const patch = { count: before.count, lastTimestamp: timestamp(clock.now()) };
    before.written = before.written.then(() => client.patch(target, "merge", patch));
  };

  return (object, type, reason, message) => {
    if (!allowed(object.metadata.uid)) return;
    const key = `${object.metadata.uid}/${type}/${reason}/${message}`;
    const known = seen.get(key);
    if (seen.size >= rememberedMax) seen.clear();
    const entry = known ?? create(object, type, reason, message);
    if (known) repeat(known);
    seen.set(key, entry);
    entry.written.catch((error: Error) => {
      seen.delete(key);
      log.debug("an event was not written", { reason, error: error.message });
    });
  };
}
