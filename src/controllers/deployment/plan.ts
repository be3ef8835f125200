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
export const revisionOf = (set: KubeObject) =>
  Number(set.metadata.annotations?.[revisionAnnotation] ?? 0) || 0;
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

/** One step of a rollout. `podsOfOld` says whether pods of old sets still exist, for Recreate. */
export function planRollout(
  deployment: KubeObject,
  newSet: KubeObject,
  old: KubeObject[],
): Scaling {
  const scaling: Scaling = new Map();
  const active = old.filter((set) => replicasOf(set) > 0);
  if (!isRolling(deployment)) {
    for (const set of active) put(scaling, set, 0);
    if (active.length === 0) put(scaling, newSet, replicasOf(deployment));
    return scaling;
  }
  const current = replicasOf(newSet);
  const wanted = replicasOf(deployment);
  if (current > wanted) put(scaling, newSet, wanted);
  else put(scaling, newSet, newSetReplicas(deployment, [...old, newSet], current));
  if (scaling.size === 0) scaleDownOld(deployment, newSet, active, scaling);
  return scaling;
}

/**
 * Scaling a Deployment while it rolls (or while it is paused) keeps the proportions between its sets.
 * Undefined when its number of replicas did not change since its sets were last scaled.
 */
export function planProportional(deployment: KubeObject, sets: KubeObject[]): Scaling | undefined {
  const wanted = replicasOf(deployment);
  const active = sets.filter((set) => replicasOf(set) > 0);
  const changed = active.some((set) => {
    const desired = set.metadata.annotations?.[desiredAnnotation];
    return desired !== undefined && Number(desired) !== wanted;
  });
  if (!changed) return undefined;
  const scaling: Scaling = new Map();
  if (active.length === 1) {
    scaling.set(active[0]!.metadata.name, wanted);
    return scaling;
  }
  const total = sum(active, replicasOf);
  const allowed = wanted > 0 ? maxReplicas(deployment) : 0;
  let left = allowed - total;
  const largestFirst = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || -byAge(a, b));
  for (const set of largestFirst) {
    const before = Number(set.metadata.annotations?.[maxAnnotation]) || total;
    const share = Math.round((replicasOf(set) * allowed) / before) - replicasOf(set);
    const step = left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left);
    scaling.set(set.metadata.name, Math.max(0, replicasOf(set) + step));
    left -= step;
  }
  const first = largestFirst[0]!.metadata.name;
  scaling.set(first, Math.max(0, scaling.get(first)! + left));
  return scaling;
}

/** Old sets beyond the history limit that hold nothing, oldest revision first. */
export function surplusSets(deployment: KubeObject, old: KubeObject[]): KubeObject[] {
  const limit: number = deployment.spec.revisionHistoryLimit ?? 10;
  const empty = old.filter(
    (set) =>
      replicasOf(set) === 0 &&
      (set.status?.replicas ?? 0) === 0 &&
      set.metadata.generation === (set.status?.observedGeneration ?? set.metadata.generation) &&
      !set.metadata.deletionTimestamp,
  );
  return empty
    .sort((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, old.length - limit));
}

/** Annotations that a set carries for its Deployment. */
export const setAnnotations = (deployment: KubeObject) => ({
  [desiredAnnotation]: String(replicasOf(deployment)),
  [maxAnnotation]: String(maxReplicas(deployment)),
});

export { sum };
