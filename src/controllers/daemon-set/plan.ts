// What a DaemonSet does next: a pod on every node that wants one, none elsewhere, and a rollout that
// never has more nodes without a working pod than it may.
import type { KubeObject } from "../../kinds/object.ts";
import { intOrPercent } from "../int-or-percent.ts";
import {
  availableInMs,
  byAge,
  hasFailed,
  hasFinished,
  isAvailable,
  isReady,
  isTerminating,
} from "../pod-state.ts";
import { eligibility, nodeOf, type Eligibility } from "./eligibility.ts";

export interface Input {
  set: KubeObject;
  nodes: KubeObject[];
  /** The pods it controls. */
  pods: KubeObject[];
  /** Hash of the present template. */
  hash: string;
  /** Wall clock, ms. */
  now: number;
}

export interface Plan {
  /** Names of nodes that get a pod. */
  create: string[];
  delete: KubeObject[];
  /** Failed pods to be replaced, with their node; the shell paces these. */
  replace: { pod: KubeObject; node: string }[];
  status: Record<string, any>;
  wakeAfterMs?: number;
}

interface Place extends Eligibility {
  name: string;
  /** Oldest first. */
  pods: KubeObject[];
}

const hashOf = (pod: KubeObject) => pod.metadata.labels?.["controller-revision-hash"];

function placesOf({ set, nodes, pods }: Input): { places: Place[]; lost: KubeObject[] } {
  const places = new Map<string, Place>();
  for (const node of nodes) {
    const { name } = node.metadata;
    places.set(name, { name, pods: [], ...eligibility(set, node) });
  }
  const lost: KubeObject[] = [];
  for (const pod of [...pods].sort(byAge)) {
    const place = places.get(nodeOf(pod) ?? "");
    if (place) place.pods.push(pod);
    else lost.push(pod);
  }
  return { places: [...places.values()], lost };
}

interface Limits {
  maxUnavailable: number;
  maxSurge: number;
}

function limitsOf({ set }: Input, desired: number): Limits {
  const { maxUnavailable, maxSurge } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = intOrPercent(maxSurge, desired, { roundUp: true, otherwise: 0 });
  const down = intOrPercent(maxUnavailable, desired, { roundUp: true, otherwise: 1 });
  return { maxSurge: surge, maxUnavailable: surge === 0 ? Math.max(down, 1) : down };
}

/** Pods too many on a node: without surge all but the oldest, with it the oldest of either kind. */
function excess(running: KubeObject[], surges: boolean, { hash, set, now }: Input): KubeObject[] {
  if (running.length <= 1) return [];
  if (!surges) return running.slice(1);
  const fresh = running.filter((pod) => hashOf(pod) === hash);
  const old = running.filter((pod) => hashOf(pod) !== hash);
  const ready = fresh[0] && isAvailable(fresh[0], set.spec.minReadySeconds ?? 0, now);
  return [...fresh.slice(1), ...old.slice(ready ? 0 : 1)];
}

function manage(places: Place[], plan: Plan, surges: boolean, input: Input) {
  for (const { name, run, stay, pods } of places) {
    if (run && pods.length === 0) plan.create.push(name);
    else if (!stay) plan.delete.push(...pods.filter((pod) => !isTerminating(pod)));
    else {
      const here = pods.filter((pod) => !isTerminating(pod));
      for (const pod of here) if (hasFailed(pod)) plan.replace.push({ pod, node: name });
      const running = here.filter((pod) => !hasFailed(pod));
      plan.delete.push(...excess(running, surges, input));
    }
  }
}

/** The pod of the present template and the one of an older, both not going. */
function pairOf(pods: KubeObject[], hash: string) {
  const here = pods.filter((pod) => !isTerminating(pod) && !hasFinished(pod));
  return {
    fresh: here.find((pod) => hashOf(pod) === hash),
    old: here.find((pod) => hashOf(pod) !== hash),
  };
}

/** Deletes old pods so that at most `maxUnavailable` nodes are without a working one. */
function replaceInPlace(places: Place[], plan: Plan, limits: Limits, input: Input) {
  const minReady: number = input.set.spec.minReadySeconds ?? 0;
  const candidates: KubeObject[] = [];
  let unavailable = 0;
  for (const { run, pods } of places) {
    if (!run) continue;
    const { fresh, old } = pairOf(pods, input.hash);
    if (fresh) {
      if (!isAvailable(fresh, minReady, input.now)) unavailable += 1;
    } else if (!old) unavailable += 1;
    else if (isAvailable(old, minReady, input.now)) candidates.push(old);
    else {
      unavailable += 1;
      plan.delete.push(old);
    }
  }
  plan.delete.push(...candidates.slice(0, Math.max(limits.maxUnavailable - unavailable, 0)));
}

/** Starts new pods beside old ones, at most `maxSurge` at a time; a new one that works ends the old. */
function surge(places: Place[], plan: Plan, limits: Limits, input: Input) {
  const minReady: number = input.set.spec.minReadySeconds ?? 0;
  const candidates: string[] = [];
  let surging = 0;
  for (const { name, run, pods } of places) {
    const { fresh, old } = pairOf(pods, input.hash);
    if (!run || !old) continue;
    if (!fresh) {
      if (isAvailable(old, minReady, input.now)) candidates.push(name);
      else plan.create.push(name);
    } else if (isAvailable(fresh, minReady, input.now)) plan.delete.push(old);
    else surging += 1;
  }
  plan.create.push(...candidates.slice(0, Math.max(limits.maxSurge - surging, 0)));
}

function statusOf(places: Place[], input: Input): Record<string, any> {
  const { set, hash, now } = input;
  const minReady: number = set.spec.minReadySeconds ?? 0;
  const wanted = places.filter(({ run }) => run);
  const first = wanted.flatMap(({ pods }) => {
    const fresh = pods.find((pod) => hashOf(pod) === hash && isReady(pod));
    return pods.length > 0 ? [fresh ?? pods[0]!] : [];
  });
  const ready = first.filter((pod) => isReady(pod) && !isTerminating(pod));
  const available = ready.filter((pod) => isAvailable(pod, minReady, now)).length;
  const { numberAvailable: _, numberUnavailable: __, ...rest } = set.status ?? {};
  return {
    ...rest,
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter(({ run, pods }) => !run && pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: ready.length,
    observedGeneration: set.metadata.generation,
    updatedNumberScheduled: first.filter((pod) => hashOf(pod) === hash).length,
    ...(available > 0 && { numberAvailable: available }),
    ...(wanted.length > available && { numberUnavailable: wanted.length - available }),
  };
}

/** When the next ready pod becomes available. */
function soonest(input: Input): number | undefined {
  const minReady: number = input.set.spec.minReadySeconds ?? 0;
  const waits = input.pods.map((pod) => availableInMs(pod, minReady, input.now) ?? 0);
  const open = waits.filter((ms) => ms > 0);
  return open.length > 0 ? Math.min(...open) : undefined;
}

export function plan(input: Input): Plan {
  const { set } = input;
  const { places, lost } = placesOf(input);
  const result: Plan = { create: [], delete: [], replace: [], status: statusOf(places, input) };
  const wakeAfterMs = soonest(input);
  if (wakeAfterMs !== undefined) result.wakeAfterMs = wakeAfterMs;
  if (set.metadata.deletionTimestamp) return result;
  const desired = places.filter(({ run }) => run).length;
  const limits = limitsOf(input, desired);
  const rolling = (set.spec.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate";
  const surges = rolling && limits.maxSurge > 0;
  manage(places, result, surges, input);
  // Meant for a node that is gone and never bound to it: nobody else will clean it up.
  result.delete.push(...lost.filter((pod) => !pod.spec?.nodeName && !isTerminating(pod)));
  const busy = result.create.length + result.delete.length + result.replace.length > 0;
  if (!rolling || busy) return result;
  if (surges) surge(places, result, limits, input);
  else replaceInPlace(places, result, limits, input);
  return result;
}
