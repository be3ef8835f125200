// Deployment, decided: which ReplicaSet is the new one, how far each is scaled next, what to clean up and
// what the status says. Pure; `deployment.ts` does what is planned.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { intOrPercent } from "../int-or-percent.ts";
import { byAge } from "../pod-state.ts";

export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
const maxAnnotation = "deployment.kubernetes.io/max-replicas";

export const replicasOf = (set: KubeObject): number => set.spec.replicas ?? 1;
/** A 64-bit number, as upstream reads it; 0 for what is none. */
export function revisionOf(set: KubeObject): bigint {
  const text = set.metadata.annotations?.[revisionAnnotation] ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}
const sum = (sets: KubeObject[], count: (set: KubeObject) => number) =>
  sets.reduce((total, set) => total + count(set), 0);
const availableOf = (set: KubeObject): number => set.status?.availableReplicas ?? 0;

/** The template without the label that tells ReplicaSets apart. */
function bareTemplate(template: any) {
  const { [hashLabel]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

const withoutNulls = (template: any) =>
  JSON.parse(JSON.stringify(template, (_, v) => v ?? undefined));

export const sameTemplate = (a: any, b: any) => {
  const strip = (template: any) => {
    const { creationTimestamp: _, ...metadata } = bareTemplate(template).metadata;
    return withoutNulls({ ...template, metadata });
  };
  return jsonEqual(strip(a), strip(b));
};

/** The ReplicaSet of the current template; the oldest, should there be several. */
export const newSetOf = (deployment: KubeObject, sets: KubeObject[]) =>
  [...sets].sort(byAge).find((set) => sameTemplate(set.spec.template, deployment.spec.template));

/** maxSurge and maxUnavailable as numbers; both zero would never move, so then one may be missing. */
export function rollingLimits(deployment: KubeObject): { surge: number; unavailable: number } {
  const total = replicasOf(deployment);
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = intOrPercent(maxSurge, total, { roundUp: true, otherwise: 0 });
  let unavailable = intOrPercent(maxUnavailable, total, { roundUp: false, otherwise: 0 });
  if (surge === 0 && unavailable === 0) unavailable = 1;
  return { surge, unavailable: Math.min(unavailable, total) };
}

export const isRolling = (deployment: KubeObject) =>
  (deployment.spec.strategy?.type ?? "RollingUpdate") === "RollingUpdate";

export const maxReplicas = (deployment: KubeObject) =>
  replicasOf(deployment) + (isRolling(deployment) ? rollingLimits(deployment).surge : 0);

/** Set name to its new number of replicas; sets that stay as they are do not appear. */
export type Scaling = Map<string, number>;

function put(scaling: Scaling, set: KubeObject, replicas: number) {
  if (replicas !== replicasOf(set)) scaling.set(set.metadata.name, replicas);
}

/** How many replicas a new set may have now. */
export function newSetReplicas(
  deployment: KubeObject,
  sets: KubeObject[],
  current: number,
): number {
  const wanted = replicasOf(deployment);
  if (!isRolling(deployment)) return wanted;
  const room = maxReplicas(deployment) - sum(sets, replicasOf);
  if (room <= 0) return current;
  return current + Math.max(0, Math.min(room, wanted - current));
}

function scaleDownOld(
  deployment: KubeObject,
  newSet: KubeObject,
  old: KubeObject[],
  scaling: Scaling,
) {
  const { unavailable } = rollingLimits(deployment);
  const minAvailable = replicasOf(deployment) - unavailable;
  const newUnavailable = replicasOf(newSet) - availableOf(newSet);
  const all = [...old, newSet];
  const size = new Map(old.map((set) => [set, replicasOf(set)]));
  let room = sum(all, replicasOf) - minAvailable - newUnavailable;
  if (room <= 0) return;
  // Replicas that do not work go first: they serve nobody.
  for (const set of [...old].sort(byAge)) {
    const sick = Math.min(room, Math.max(0, replicasOf(set) - availableOf(set)));
    size.set(set, size.get(set)! - sick);
    room -= sick;
  }
  let spare = sum(all, availableOf) - minAvailable;
  for (const set of [...old].sort(byAge)) {
    const cut = Math.min(size.get(set)!, Math.max(0, spare));
    size.set(set, size.get(set)! - cut);
    spare -= cut;
  }
  for (const [set, replicas] of size) put(scaling, set, replicas);
}

/** One step of a rollout. `oldPodsRun` holds a Recreate back until no pod of an old set is left. */
export function planRollout(
  deployment: KubeObject,
  newSet: KubeObject | undefined,
  old: KubeObject[],
  { oldPodsRun = false } = {},
): Scaling {
  const scaling: Scaling = new Map();
  const active = old.filter((set) => replicasOf(set) > 0);
  if (!isRolling(deployment)) {
    for (const set of active) put(scaling, set, 0);
    if (newSet && active.length === 0 && !oldPodsRun) {
      put(scaling, newSet, replicasOf(deployment));
    }
    return scaling;
  }
  if (!newSet) return scaling;
  const current = replicasOf(newSet);
  const wanted = replicasOf(deployment);
  if (current > wanted) put(scaling, newSet, wanted);
  else put(scaling, newSet, newSetReplicas(deployment, [...old, newSet], current));
  if (scaling.size === 0) scaleDownOld(deployment, newSet, active, scaling);
  return scaling;
}

const scaledFor = (set: KubeObject): number | undefined => {
  const desired = set.metadata.annotations?.[desiredAnnotation];
  return desired === undefined ? undefined : Number(desired);
};

/** Did the Deployment's number of replicas change since its sets were last scaled? */
export function isScaled(deployment: KubeObject, sets: KubeObject[]) {
  const active = sets.filter((set) => replicasOf(set) > 0);
  // Recreate has no proportions to keep: it takes the old sets down instead.
  if (active.length > 1 && !isRolling(deployment)) return false;
  const wanted = replicasOf(deployment);
  return active.some((set) => (scaledFor(set) ?? wanted) !== wanted);
}

const isSaturated = (deployment: KubeObject, set: KubeObject | undefined) =>
  set !== undefined &&
  [replicasOf(set), scaledFor(set), availableOf(set)].every((n) => n === replicasOf(deployment));

/** By how much a set grows or shrinks so that it keeps its part of the whole. */
function shareOf(deployment: KubeObject, set: KubeObject, left: number): number {
  const size = replicasOf(set);
  if (replicasOf(deployment) === 0) return -size;
  const before =
    Number(set.metadata.annotations?.[maxAnnotation]) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  const share = Math.round((size * maxReplicas(deployment)) / before) - size;
  return left > 0 ? Math.min(share, left) : Math.max(share, left);
}

function planProportional(deployment: KubeObject, active: KubeObject[]): Scaling {
  const allowed = replicasOf(deployment) > 0 ? maxReplicas(deployment) : 0;
  const missing = allowed - sum(active, replicasOf);
  // Of two sets of one size the newer grows first and the older shrinks first.
  const age = missing > 0 ? -1 : 1;
  const largestFirst = [...active].sort(
    (a, b) => replicasOf(b) - replicasOf(a) || age * byAge(a, b),
  );
  let left = missing;
  const scaling: Scaling = new Map();
  for (const set of largestFirst) {
    const step = left === 0 ? 0 : shareOf(deployment, set, left);
    scaling.set(set.metadata.name, replicasOf(set) + step);
    left -= step;
  }
  const first = largestFirst[0]!.metadata.name;
  scaling.set(first, Math.max(0, scaling.get(first)! + left));
  return scaling;
}

/**
 * Scaling without rolling: while a Deployment is paused, and when its replicas changed in the middle of
 * a rollout, which keeps the proportions between its sets. Sets appear also when only their annotations
 * are to follow.
 */
export function planScaling(
  deployment: KubeObject,
  newSet: KubeObject | undefined,
  old: KubeObject[],
): Scaling {
  const wanted = replicasOf(deployment);
  const all = newSet ? [...old, newSet] : old;
  const active = all.filter((set) => replicasOf(set) > 0);
  const latest = newSet ?? [...old].sort(byAge).at(-1);
  const only = active.length === 0 ? latest : active[0];
  if (!only) return new Map();
  if (active.length <= 1) {
    const settled = replicasOf(only) === wanted && (scaledFor(only) ?? wanted) === wanted;
    return new Map(settled ? [] : [[only.metadata.name, wanted]]);
  }
  if (isSaturated(deployment, newSet)) {
    return new Map(
      active.filter((set) => set !== newSet).map(({ metadata }) => [metadata.name, 0]),
    );
  }
  if (!isRolling(deployment)) return new Map();
  if (isScaled(deployment, all)) return planProportional(deployment, active);
  return new Map();
}

/** Sets beyond the history limit that hold nothing, oldest revision first. */
export function surplusSets(deployment: KubeObject, old: KubeObject[]): KubeObject[] {
  const limit: number = deployment.spec.revisionHistoryLimit ?? 10;
  const kept = old.filter(({ metadata }) => !metadata.deletionTimestamp);
  return kept
    .sort((a, b) => Number(revisionOf(a) - revisionOf(b)))
    .slice(0, Math.max(0, kept.length - limit))
    .filter(
      (set) =>
        replicasOf(set) === 0 &&
        (set.status?.replicas ?? 0) === 0 &&
        set.metadata.generation === (set.status?.observedGeneration ?? set.metadata.generation),
    );
}

export const setAnnotationNames = [desiredAnnotation, maxAnnotation];

/** Annotations that a set carries for its Deployment. */
export const setAnnotations = (deployment: KubeObject) => ({
  [desiredAnnotation]: String(replicasOf(deployment)),
  [maxAnnotation]: String(maxReplicas(deployment)),
});

export { sum };
