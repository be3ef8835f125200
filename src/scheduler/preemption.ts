// Making room: which pods of lower priority would have to go, on which node, so that the pod fits.
// As few as possible, disruption budgets broken last, and the node whose loss is smallest.
import type { KubeObject } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import type { Random } from "../lib/random.ts";
import type { Verdict } from "./filter.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import { bump, noneOf, type Refusals } from "./refusals.ts";
import type { Snapshot } from "./snapshot.ts";

export interface Preemption {
  node: string;
  victims: PodInfo[];
}

/** A PodDisruptionBudget: which pods it covers and how many more it lets go. */
export interface DisruptionBudget {
  namespace: string;
  covers(pod: PodInfo): boolean;
  allowed: number;
}

export function disruptionBudget(budget: KubeObject): DisruptionBudget {
  const matches = compileSelector(budget.spec?.selector);
  const disrupted: Record<string, string> = budget.status?.disruptedPods ?? {};
  const namespace = budget.metadata.namespace ?? "";
  return {
    namespace,
    allowed: budget.status?.disruptionsAllowed ?? 0,
    covers: (pod) =>
      pod.namespace === namespace && matches(pod.labels) && !Object.hasOwn(disrupted, pod.name),
  };
}

export interface PreemptionOptions {
  random: Random;
  budgets: () => readonly DisruptionBudget[];
  suits(pod: PodInfo, node: NodeInfo, snapshot: Snapshot): Verdict | undefined;
}

interface Candidate {
  node: NodeInfo;
  victims: PodInfo[];
  violations: number;
}

const candidatesMin = 100;
const candidatesPercentage = 10;

const startOf = ({ pod }: PodInfo): string =>
  pod.status?.startTime ?? pod.metadata.creationTimestamp ?? "";

/** Most important first: higher priority, then running for longer. */
const byImportance = (a: PodInfo, b: PodInfo) =>
  b.priority - a.priority || (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0);

/** Splits `pods` into those whose going would break a budget and those that may go. */
function byBudget(pods: PodInfo[], budgets: readonly DisruptionBudget[]) {
  const left = budgets.map(({ allowed }) => allowed);
  const violating: PodInfo[] = [];
  const free: PodInfo[] = [];
  for (const pod of pods) {
    let violates = false;
    budgets.forEach((budget, i) => {
      if (!budget.covers(pod)) return;
      left[i]! -= 1;
      if (left[i]! < 0) violates = true;
    });
    (violates ? violating : free).push(pod);
  }
  return { violating, free };
}

/** Takes every lesser pod off the node, then puts back whom it can, the most important first. */
function tryNode(
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
  { budgets, suits }: PreemptionOptions,
): Candidate | string[] {
  const lesser = [...node.pods].filter((other) => other.priority < pod.priority);
  if (lesser.length === 0) return ["No preemption victims found for incoming pod"];
  lesser.sort(byImportance);
  try {
    for (const victim of lesser) snapshot.remove(victim.uid);
    const verdict = suits(pod, node, snapshot);
    if (verdict) return verdict.reasons;
    const { violating, free } = byBudget(lesser, budgets());
    const reprieved = (victim: PodInfo) => {
      snapshot.place(victim, node.name);
      if (!suits(pod, node, snapshot)) return true;
      snapshot.remove(victim.uid);
      return false;
    };
    const broken = violating.filter((victim) => !reprieved(victim));
    const gone = free.filter((victim) => !reprieved(victim));
    return { node, victims: [...broken, ...gone].sort(byImportance), violations: broken.length };
  } finally {
    for (const victim of lesser) {
      if (!snapshot.pods.has(victim.uid)) snapshot.place(victim, node.name);
    }
  }
}

const highest = ({ victims }: Candidate) => victims[0]?.priority ?? Number.NEGATIVE_INFINITY;
const sum = ({ victims }: Candidate) =>
  victims.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
/** When the first of the most important victims started: the later, the less is lost. */
const earliest = ({ victims }: Candidate) => {
  const top = victims[0];
  const starts = victims.filter((v) => v.priority === top?.priority).map(startOf);
  return starts.sort()[0] ?? "";
};

/** Smallest loss first. */
function compare(a: Candidate, b: Candidate): number {
  if (a.violations !== b.violations) return a.violations - b.violations;
  if (highest(a) !== highest(b)) return highest(a) - highest(b);
  if (sum(a) !== sum(b)) return sum(a) - sum(b);
  if (a.victims.length !== b.victims.length) return a.victims.length - b.victims.length;
  const [left, right] = [earliest(a), earliest(b)];
  return left > right ? -1 : left < right ? 1 : 0;
}

/** Why preemption is out of the question for this pod, if it is. */
function ineligible(pod: PodInfo, snapshot: Snapshot): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === "Never") {
    return "not eligible due to preemptionPolicy=Never.";
  }
  const nominated: string | undefined = pod.pod.status?.nominatedNodeName;
  for (const other of (nominated && snapshot.byName.get(nominated)?.pods) || []) {
    if (other.pod.metadata.deletionTimestamp && other.priority < pod.priority) {
      return "not eligible due to a terminating pod on the nominated node.";
    }
  }
  return undefined;
}

export function preempt(
  pod: PodInfo,
  snapshot: Snapshot,
  refusals: Refusals,
  options: PreemptionOptions,
): { message: string; preemption?: Preemption } {
  const all = snapshot.nodes.length;
  const reason = ineligible(pod, snapshot);
  if (reason) return { message: reason };
  const counts = new Map<string, number>();
  const hopeful: NodeInfo[] = [];
  for (const [node, { resolvable }] of refusals.verdicts) if (resolvable) hopeful.push(node);
  if (hopeful.length < all) {
    bump(counts, "Preemption is not helpful for scheduling", all - hopeful.length);
  }
  const wanted = Math.max(Math.trunc((all * candidatesPercentage) / 100), candidatesMin);
  const offset = Math.floor(options.random.float() * hopeful.length);
  const found: Candidate[] = [];
  for (let i = 0; i < hopeful.length && found.length < wanted; i++) {
    const result = tryNode(pod, hopeful[(offset + i) % hopeful.length]!, snapshot, options);
    if (Array.isArray(result)) for (const text of result) bump(counts, text);
    else found.push(result);
  }
  const chosen = found.sort(compare)[0];
  if (!chosen) return { message: noneOf(all, counts) };
  const preemption = { node: chosen.node.name, victims: chosen.victims };
  return { message: noneOf(all, counts), preemption };
}
