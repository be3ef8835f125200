// The decision, pure: a pod and a snapshot in, a node or the reasons against every node out. Not all
// nodes are judged in a large cluster: the search starts where the last one ended and stops once
// enough nodes suit (upstream's adaptive percentageOfNodesToScore).
import type { Random } from "../lib/random.ts";
import type { Check, Filter, Verdict } from "./filter.ts";
import { namedNodes } from "./filters/node-affinity.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import { preempt, type DisruptionBudget, type Preemption } from "./preemption.ts";
import { filters, scores } from "./profile.ts";
import { Refusals } from "./refusals.ts";
import type { Snapshot } from "./snapshot.ts";

export type Plan =
  | { node: string }
  | {
      unschedulable: { message: string };
      /** Names of the filters that turned nodes away: what the pod waits for. */
      filters: Set<string>;
      preemption?: Preemption;
    };

const nodesMin = 100;
const percentageMin = 5;

/** How many suitable nodes are enough, among `all`. */
export function feasibleEnough(all: number): number {
  if (all < nodesMin) return all;
  const percentage = Math.max(Math.trunc(50 - all / 125), percentageMin);
  return Math.max(Math.trunc((all * percentage) / 100), nodesMin);
}

export interface PreparedFilter {
  filter: Filter;
  check: Check;
}

/** The filters that have to do with this pod, or why it can go nowhere. */
export function prepareFilters(pod: PodInfo, snapshot: Snapshot): PreparedFilter[] | Refused {
  const prepared: PreparedFilter[] = [];
  for (const filter of filters) {
    const check = filter.prepare(pod, snapshot);
    if (typeof check === "function") prepared.push({ filter, check });
    else if (check) return { filter: filter.name, refused: check.refused };
  }
  return prepared;
}

export interface Refused {
  filter: string;
  refused: string;
}

/** Judges `node` as if the pods promised to it, of this priority or more, were there already. */
function judge(
  pod: PodInfo,
  node: NodeInfo,
  snapshot: Snapshot,
  prepared: PreparedFilter[],
  refusals: Refusals,
): boolean {
  const promised = snapshot.nominated.size > 0 && snapshot.nominated.get(node.name);
  const ahead = promised
    ? [...promised].filter((other) => other.uid !== pod.uid && other.priority >= pod.priority)
    : [];
  if (ahead.length > 0) {
    const before = ahead.filter((other) => !snapshot.pods.has(other.uid));
    before.forEach((other) => snapshot.place(other, node.name));
    try {
      const again = prepareFilters(pod, snapshot);
      if (Array.isArray(again) && !passes(node, again, refusals)) return false;
    } finally {
      before.forEach((other) => snapshot.remove(other.uid));
    }
  }
  return passes(node, prepared, refusals);
}

function passes(node: NodeInfo, prepared: PreparedFilter[], refusals: Refusals): boolean {
  for (let i = 0; i < prepared.length; i++) {
    const verdict: Verdict | undefined = prepared[i]!.check(node);
    if (verdict) {
      refusals.add(node, verdict, prepared[i]!.filter.name);
      return false;
    }
  }
  return true;
}

/** Nodes to judge, in the order of this turn. */
function candidates(pod: PodInfo, snapshot: Snapshot): readonly NodeInfo[] {
  const named = namedNodes(pod);
  if (!named) return snapshot.nodes;
  return [...named]
    .map((name) => snapshot.byName.get(name))
    .filter((node) => node?.node) as NodeInfo[];
}

function feasible(
  pod: PodInfo,
  snapshot: Snapshot,
  prepared: PreparedFilter[],
  refusals: Refusals,
): NodeInfo[] {
  const nominated: string | undefined = pod.pod.status?.nominatedNodeName;
  const promised = nominated ? snapshot.byName.get(nominated) : undefined;
  if (promised?.node && judge(pod, promised, snapshot, prepared, refusals)) return [promised];
  const nodes = candidates(pod, snapshot);
  const enough = feasibleEnough(nodes.length);
  const found: NodeInfo[] = [];
  const start = nodes.length > 0 ? snapshot.rotation % nodes.length : 0;
  let judged = 0;
  for (; judged < nodes.length && found.length < enough; judged++) {
    const at = start + judged;
    const node = nodes[at < nodes.length ? at : at - nodes.length]!;
    if (judge(pod, node, snapshot, prepared, refusals)) found.push(node);
  }
  if (nodes === snapshot.nodes && nodes.length > 0) {
    snapshot.rotation = (start + judged) % nodes.length;
  }
  return found;
}

/** The best of `nodes`; ties are broken by lot. */
export function best(
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  snapshot: Snapshot,
  random: Random,
): NodeInfo {
  if (nodes.length === 1) return nodes[0]!;
  const totals = new Float64Array(nodes.length);
  const raw = new Float64Array(nodes.length);
  for (const { prepare, normalize, weight } of scores) {
    const score = prepare(pod, snapshot, nodes);
    if (!score) continue;
    for (let i = 0; i < nodes.length; i++) raw[i] = score(nodes[i]!);
    normalize?.(raw);
    for (let i = 0; i < nodes.length; i++) totals[i]! += weight * raw[i]!;
  }
  let chosen = 0;
  let ties = 1;
  for (let i = 1; i < nodes.length; i++) {
    if (totals[i]! > totals[chosen]!) {
      chosen = i;
      ties = 1;
    } else if (totals[i] === totals[chosen]) {
      ties += 1;
      if (random.float() * ties < 1) chosen = i;
    }
  }
  return nodes[chosen]!;
}

/** Does `node` suit `pod` as the snapshot stands? Used when pods are taken away to try. */
export function suits(pod: PodInfo, node: NodeInfo, snapshot: Snapshot): Verdict | undefined {
  const prepared = prepareFilters(pod, snapshot);
  if (!Array.isArray(prepared)) return { reasons: [prepared.refused], resolvable: false };
  for (const { check } of prepared) {
    const verdict = check(node);
    if (verdict) return verdict;
  }
  return undefined;
}

export interface PlanOptions {
  /** Read only when somebody would have to make room. */
  budgets?: () => readonly DisruptionBudget[];
}

export function plan(
  pod: PodInfo,
  snapshot: Snapshot,
  random: Random,
  { budgets = () => [] }: PlanOptions = {},
): Plan {
  const all = snapshot.nodes.length;
  if (all === 0) {
    const message = "no nodes available to schedule pods";
    return { unschedulable: { message }, filters: new Set(["NodeAffinity"]) };
  }
  const prepared = prepareFilters(pod, snapshot);
  if (!Array.isArray(prepared)) {
    const help = `preemption: 0/${all} nodes are available: ${all} Preemption is not helpful for scheduling.`;
    const message = `0/${all} nodes are available: ${prepared.refused}. ${help}`;
    return { unschedulable: { message }, filters: new Set([prepared.filter]) };
  }
  const refusals = new Refusals();
  const found = feasible(pod, snapshot, prepared, refusals);
  if (found.length > 0) return { node: best(pod, found, snapshot, random).name };
  const named = namedNodes(pod);
  if (named) refusals.addOthers(snapshot.nodes, named);
  const attempt = preempt(pod, snapshot, refusals, { random, budgets, suits });
  const message = `${refusals.message(all)} preemption: ${attempt.message}`;
  return {
    unschedulable: { message },
    filters: refusals.filters,
    ...(attempt.preemption && { preemption: attempt.preemption }),
  };
}
