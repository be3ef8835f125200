// Counts again what the objects of a namespace take from its ResourceQuotas: admission only ever charges, and
// this is where deletes, finished pods and charges for writes that failed come back.
import { keyOf } from "../client/cache.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { countedResource, printAmount, scopesMatch, usageOf } from "../lib/quota-usage.ts";
import type { Controller, ControllerContext, DiscoveredResource } from "./runtime.ts";

const quotas = resource("v1", "resourcequotas");
/** Counted by watching; other kinds are few and counted by listing. */
const watched = ["pods", "services", "persistentvolumeclaims", "replicationcontrollers"].map(
  (plural) => resource("v1", plural),
);

/** A charge comes before its object: a quota is counted again once it has been left alone this long ... */
const settleMs = 500;
/** ... or has been busy for this long. */
const busyMsMax = 10_000;
/** Kinds that are not watched are counted this often. */
const recountMs = 5000;
const resyncMs = 5 * 60_000;

/** What `objects` use of the names in `hard`. Pure. */
export function usedOf(
  spec: KubeObject["spec"],
  objects: Map<string, KubeObject[]>,
  nowMs: number,
): Record<string, string> {
  const sums = new Map<string, number>(Object.keys(spec.hard ?? {}).map((name) => [name, 0]));
  for (const [plural, all] of objects) {
    for (const object of all) {
      if (!scopesMatch(spec, plural, object)) continue;
      for (const [name, amount] of Object.entries(usageOf(plural, object, nowMs))) {
        const sum = sums.get(name);
        if (sum !== undefined) sums.set(name, sum + amount);
      }
    }
  }
  return Object.fromEntries([...sums].map(([name, sum]) => [name, printAmount(name, sum)]));
}

/** The quotas of the namespace in which something changed. */
const ofNamespace = ({ metadata }: KubeObject, { informer }: ControllerContext) =>
  informer(quotas).list(metadata.namespace).map(keyOf);

const nameOf = ({ resource: plural, group }: DiscoveredResource) =>
  group ? `${plural}.${group}` : plural;

async function objectsOf(plural: string, namespace: string, context: ControllerContext) {
  const own = watched.find((one) => one.resource === plural);
  if (own) return context.informer(own).list(namespace);
  const served = (await context.discover()).find(
    (one) => nameOf(one) === plural && one.namespaced && one.verbs.includes("list"),
  );
  if (!served) return [];
  const { group, version, resource: name } = served;
  return (await context.client.list({ group, version, resource: name, namespace })).items;
}

interface Seen {
  resourceVersion: string;
  atMs: number;
  busySinceMs: number;
}

/** How long to wait before `quota` may be counted; 0 for no longer. Pure. */
export function waitMs(quota: KubeObject, seen: Seen, nowMs: number): number {
  if (!jsonEqual(quota.status?.hard, quota.spec.hard ?? {})) return 0;
  if (nowMs - seen.busySinceMs >= busyMsMax) return 0;
  return Math.max(0, seen.atMs + settleMs - nowMs);
}

function note(seen: Map<string, Seen>, key: string, quota: KubeObject, nowMs: number): Seen {
  const { resourceVersion } = quota.metadata;
  const before = seen.get(key);
  if (before?.resourceVersion === resourceVersion) return before;
  const noted = { resourceVersion, atMs: nowMs, busySinceMs: before?.busySinceMs ?? nowMs };
  seen.set(key, noted);
  return noted;
}

async function reconcile(key: string, context: ControllerContext, seen: Map<string, Seen>) {
  const [namespace, name] = key.split("/") as [string, string];
  const quota = context.informer(quotas).get(name, namespace);
  if (!quota || quota.metadata.deletionTimestamp) return void seen.delete(key);
  const now = context.clock.monotonic();
  const wait = waitMs(quota, note(seen, key, quota, now), now);
  if (wait > 0) return context.wakeAfter(key, wait);
  seen.delete(key);
  const { spec } = quota;
  const plurals = new Set(Object.keys(spec.hard ?? {}).map(countedResource));
  const objects = new Map<string, KubeObject[]>();
  for (const plural of plurals) {
    objects.set(plural, await objectsOf(plural, namespace, context));
  }
  const status = {
    hard: spec.hard ?? {},
    used: usedOf(spec, objects, context.clock.now()),
  };
  if ([...plurals].some((plural) => !watched.some((one) => one.resource === plural))) {
    context.wakeAfter(key, recountMs);
  }
  if (jsonEqual(quota.status, status)) return;
  const fresh = { ...quota, status };
  try {
    await context.client.update({ ...quotas, namespace, name, subresource: "status" }, fresh);
  } catch (error) {
    // A charge came in between: it wakes this key again, with what it changed.
    if (!isStatus(error, "Conflict", "NotFound")) throw error;
  }
}

export function resourceQuotaController(): Controller {
  const seen = new Map<string, Seen>();
  return {
    name: "resource-quota",
    inputs: [{ resource: quotas }, ...watched.map((one) => ({ resource: one, keys: ofNamespace }))],
    outputs: [{ ...quotas, resource: "resourcequotas/status" }],
    reconcile: (key, context) => reconcile(key, context, seen),
    resyncMs,
  };
}
