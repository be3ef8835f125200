// How many replicas a metric asks for. The arithmetic is that of KEP-117's autoscaler: the ratio of what is
// used to what is wanted, a tolerance around one, and caution about pods of which nothing is known yet.
import type { KubeObject } from "../../kinds/object.ts";
import { hasFailed, isReady, isTerminating } from "../pod-state.ts";

/** After its start a pod's use of cpu says little: it is believed once the pod was ready. */
const initializationMs = 5 * 60_000;
const initialReadinessMs = 30_000;

interface PodGroups {
  /** Pods whose numbers are used. */
  counted: string[];
  /** Pods that are starting: taken as using nothing. */
  unready: string[];
  /** Pods without numbers. */
  missing: string[];
}

function isStarting(pod: KubeObject, now: number): boolean {
  const started = Date.parse(pod.status?.startTime ?? "");
  const ready = pod.status?.conditions?.find(({ type }: any) => type === "Ready");
  if (!ready || Number.isNaN(started)) return true;
  const changed = Date.parse(ready.lastTransitionTime);
  if (started + initializationMs > now) return ready.status !== "True" || changed > now;
  return ready.status !== "True" && started + initialReadinessMs > changed;
}

/** Which pods count for a metric known of `measured`. Pure. */
export function groupPods(
  pods: readonly KubeObject[],
  measured: ReadonlySet<string>,
  options: { isCpu: boolean; now: number },
): PodGroups {
  const groups: PodGroups = { counted: [], unready: [], missing: [] };
  for (const pod of pods) {
    if (isTerminating(pod) || hasFailed(pod)) continue;
    const { name } = pod.metadata;
    if (pod.status?.phase === "Pending") groups.unready.push(name);
    else if (!measured.has(name)) groups.missing.push(name);
    else if (options.isCpu && isStarting(pod, options.now)) groups.unready.push(name);
    else groups.counted.push(name);
  }
  return groups;
}

export interface Measured {
  /** By the pod's name. */
  values: ReadonlyMap<string, number>;
  /** What each pod would use if it used what is wanted of it. */
  targets: ReadonlyMap<string, number>;
}

const sum = (names: readonly string[], of: ReadonlyMap<string, number>) =>
  names.reduce((all, name) => all + (of.get(name) ?? 0), 0);

/** Replicas for a metric of pods; undefined when no pod has numbers. Pure. */
export function replicasForPods(
  groups: PodGroups,
  { values, targets }: Measured,
  options: { current: number; tolerance: { up: number; down: number } },
): number | undefined {
  const { counted, unready, missing } = groups;
  const { current, tolerance } = options;
  if (counted.length === 0) return undefined;
  const within = (ratio: number) => ratio >= 1 - tolerance.down && ratio <= 1 + tolerance.up;
  const usage = sum(counted, values) / sum(counted, targets);
  const waits = usage > 1 && unready.length > 0;
  if (missing.length === 0 && !waits) {
    return within(usage) ? current : Math.ceil(usage * counted.length);
  }
  // Of pods without numbers the worst for the change at hand is assumed: they idle when more are wanted, and
  // do just what they should when fewer are.
  const idle = [...(usage > 1 ? missing : []), ...(waits ? unready : [])];
  const busy = usage < 1 ? missing : [];
  const all = [...counted, ...idle, ...busy];
  const ratio = (sum(counted, values) + sum(busy, targets)) / sum(all, targets);
  const turned = (usage < 1 && ratio > 1) || (usage > 1 && ratio < 1);
  if (within(ratio) || turned) return current;
  const replicas = Math.ceil(ratio * all.length);
  const wrongWay = (ratio < 1 && replicas > current) || (ratio > 1 && replicas < current);
  return wrongWay ? current : replicas;
}

/** Replicas for a value of something else than pods, wanted `target` in all. Pure. */
export function replicasForValue(
  value: number,
  target: number,
  options: { current: number; ready: number; tolerance: { up: number; down: number } },
): number {
  const ratio = value / target;
  const { current, ready, tolerance } = options;
  if (current === 0) return Math.ceil(ratio);
  if (ratio >= 1 - tolerance.down && ratio <= 1 + tolerance.up) return current;
  return Math.ceil(ratio * ready);
}

/** Replicas for a value of something else than pods, wanted `target` for each replica. Pure. */
export function replicasForAverage(
  value: number,
  target: number,
  options: { current: number; tolerance: { up: number; down: number } },
): number {
  const { current, tolerance } = options;
  const ratio = value / (target * current);
  if (current > 0 && ratio >= 1 - tolerance.down && ratio <= 1 + tolerance.up) return current;
  return Math.ceil(value / target);
}

export const readyOf = (pods: readonly KubeObject[]) =>
  pods.filter((pod) => pod.status?.phase === "Running" && isReady(pod)).length;
