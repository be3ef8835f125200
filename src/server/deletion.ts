// What a delete does to an object: nothing is left to wait for, or it is marked and waits. Pure.
import { timestamp } from "../lib/clock.ts";
import type { Kind } from "../kinds/kind.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { DeletionOptions, Propagation } from "./deletion-options.ts";
import { holds } from "./verbs/remove.ts";

const orphan = "orphan";
const foreground = "foregroundDeletion";

/** Kinds whose dependents are orphaned when a delete does not say, for the sake of old clients. */
const orphanByDefault = new Set(["jobs.batch", "replicationcontrollers"]);

/** The finalizers after a delete with this policy (the garbage collector acts on the two it may add). */
export function finalizersFor(
  kind: Kind,
  present: string[],
  policy: Propagation | undefined,
): string[] {
  const others = present.filter((one) => one !== orphan && one !== foreground);
  const resource = kind.group ? `${kind.plural}.${kind.group}` : kind.plural;
  if (policy === undefined) {
    if (others.length !== present.length) return present;
    return orphanByDefault.has(resource) ? [...others, orphan] : others;
  }
  if (policy === "Orphan") return [...others, orphan];
  return policy === "Foreground" ? [...others, foreground] : others;
}

/** Seconds a pod is given to stop. Pods that run nowhere, or no longer, need none. */
function graceOf(kind: Kind, object: KubeObject, asked: number | undefined): number {
  if (kind.group !== "" || kind.plural !== "pods") return 0;
  const finished = object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
  if (!object.spec?.nodeName || finished) return 0;
  const grace = asked ?? object.spec?.terminationGracePeriodSeconds ?? 30;
  return grace < 0 ? 1 : grace;
}

/** A second delete can only shorten the wait. Returns false when it changes nothing. */
function shorten(object: KubeObject, grace: number | undefined): boolean {
  const { metadata } = object;
  const present = metadata.deletionGracePeriodSeconds ?? 0;
  if (grace === undefined || grace >= present) return false;
  const began = Date.parse(metadata.deletionTimestamp!) - present * 1000;
  metadata.deletionTimestamp = timestamp(began + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  return true;
}

const sameList = (a: string[], b: string[]) =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/**
 * Applies a delete to `object`, in place. "gone": it can be removed; "marked": it waits, and changed;
 * "unchanged": it was waiting already.
 */
export function markDeleted(
  kind: Kind,
  object: KubeObject,
  options: DeletionOptions,
  now: string,
): "gone" | "marked" | "unchanged" {
  const { metadata } = object;
  const before = metadata.finalizers ?? [];
  const finalizers = finalizersFor(kind, before, options.propagationPolicy);
  let changed = !sameList(finalizers, before);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const grace = graceOf(kind, object, options.gracePeriodSeconds);
  if (metadata.deletionTimestamp) {
    const asked = options.gracePeriodSeconds === undefined ? undefined : grace;
    if (shorten(object, asked)) changed = true;
  } else {
    metadata.deletionTimestamp = timestamp(Date.parse(now) + grace * 1000);
    metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation) metadata.generation++;
    if (kind.group === "" && kind.plural === "namespaces") {
      object.status = { ...object.status, phase: "Terminating" };
    }
    changed = true;
  }
  const waits = holds(object) || (metadata.deletionGracePeriodSeconds ?? 0) > 0;
  if (!waits) return "gone";
  return changed ? "marked" : "unchanged";
}
