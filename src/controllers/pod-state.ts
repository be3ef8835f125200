// What a pod's status says, in the words controllers use.
import type { KubeObject } from "../kinds/object.ts";

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  [field: string]: unknown;
}

export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  object.status?.conditions?.find((condition: Condition) => condition.type === type);

export const isTrue = (object: KubeObject, type: string) =>
  conditionOf(object, type)?.status === "True";

export const isReady = (pod: KubeObject) => isTrue(pod, "Ready");
export const isTerminating = (pod: KubeObject) => pod.metadata.deletionTimestamp !== undefined;
export const hasFailed = (pod: KubeObject) => pod.status?.phase === "Failed";
export const hasSucceeded = (pod: KubeObject) => pod.status?.phase === "Succeeded";
export const hasFinished = (pod: KubeObject) => hasFailed(pod) || hasSucceeded(pod);

/**
 * Milliseconds until a ready pod counts as available; 0 when it does, undefined when it is not
 * ready. `now` is the wall clock. A transition in the future counts as just happened.
 */
export function availableInMs(
  pod: KubeObject,
  minReadySeconds: number,
  now: number,
): number | undefined {
  const ready = conditionOf(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const since = Math.min(Date.parse(ready.lastTransitionTime ?? "") || now, now);
  return Math.max(since + minReadySeconds * 1000 - now, 0);
}

export const isAvailable = (pod: KubeObject, minReadySeconds: number, now: number) =>
  availableInMs(pod, minReadySeconds, now) === 0;

/** Oldest first; ties by name, so that the order is the same on every look. */
export const byAge = ({ metadata: a }: KubeObject, { metadata: b }: KubeObject) =>
  a.creationTimestamp < b.creationTimestamp
    ? -1
    : a.creationTimestamp > b.creationTimestamp
      ? 1
      : a.name < b.name
        ? -1
        : 1;

/** `conditions` with `next` in place; an unchanged status keeps its transition time. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: Condition,
  now: string,
): Condition[] {
  const old = conditions?.find(({ type }) => type === next.type);
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? now) : now;
  const entry = { ...next, lastTransitionTime };
  if (!old) return [...(conditions ?? []), entry];
  return conditions!.map((condition) => (condition === old ? entry : condition));
}
