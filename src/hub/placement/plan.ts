// Which clusters a placement chooses, in which groups, and what its status says. Pure: the same state gives
// the same plan.
import { prioritize } from "./prioritize.ts";
import { Misconfigured } from "./model.ts";
import type {
  AddOnPlacementScore,
  CelMatch,
  ManagedCluster,
  ManagedClusterSet,
  Placement,
} from "./model.ts";
import { decisionObjects, divide } from "./groups.ts";
import type { DecisionObject, Group } from "./groups.ts";
import { compileClusterSelector, memberOf } from "./select.ts";
import { spread } from "./spread.ts";
import { checkTolerations, clusterToleratedUntil } from "./tolerate.ts";

export interface PlacementState {
  placement: Placement;
  clusters: ManagedCluster[];
  sets: ManagedClusterSet[];
  /** Sets that are bound to the placement's namespace. */
  bound: string[];
  chosen: ReadonlySet<string>;
  load: ReadonlyMap<string, number>;
  addOnScores: ReadonlyMap<string, AddOnPlacementScore>;
  cel: CelMatch;
  now: number;
}

export interface PlannedCondition {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
}

export interface PlacementPlan {
  /** undefined: what is decided stays, since the placement says what cannot be done. */
  decisions?: DecisionObject[];
  groups: Group[];
  status: object;
  conditions: PlannedCondition[];
  /** Wall clock ms at which a toleration ends. */
  wakeAt?: number;
}

interface Chosen {
  clusters: ManagedCluster[];
  scores: ReadonlyMap<string, number>;
  wakeAt: number;
  why: Pick<PlannedCondition, "status" | "reason" | "message">;
}

const no = (reason: string, message: string) => ({ status: "False" as const, reason, message });

function setsOf({ placement, sets, bound }: PlacementState) {
  const asked = placement.spec.clusterSets ?? [];
  const there = sets.filter(({ metadata }) => bound.includes(metadata.name));
  const eligible = asked.length
    ? there.filter(({ metadata }) => asked.includes(metadata.name))
    : there;
  if (there.length === 0) {
    const why = `no ManagedClusterSet is bound to the namespace ${placement.metadata.namespace}`;
    return { eligible, refusal: no("NoManagedClusterSetBindings", why) };
  }
  if (eligible.length > 0) return { eligible };
  const why = `none of the ManagedClusterSets [${asked.join(" ")}] is bound to the namespace`;
  return { eligible, refusal: no("NoIntersection", why) };
}

function choose(state: PlacementState): Chosen {
  const { placement, chosen, cel, now } = state;
  const { spec } = placement;
  const tolerations = spec.tolerations ?? [];
  checkTolerations(tolerations);
  const nothing = { clusters: [], scores: new Map<string, number>(), wakeAt: Infinity };
  const { eligible, refusal } = setsOf(state);
  if (refusal) return { ...nothing, why: refusal };
  const isMember = eligible.map(memberOf);
  // A cluster that nobody accepted, or that leaves, gets nothing whatever its labels say.
  const members = state.clusters.filter(
    (cluster) =>
      cluster.spec.hubAcceptsClient &&
      !cluster.metadata.deletionTimestamp &&
      isMember.some((belongs) => belongs(cluster)),
  );
  if (members.length === 0) {
    const names = eligible.map(({ metadata }) => metadata.name).join(" ");
    const why = `the ManagedClusterSets [${names}] have no accepted ManagedCluster`;
    return { ...nothing, why: no("AllManagedClusterSetsEmpty", why) };
  }
  const predicates = (spec.predicates ?? []).map(({ requiredClusterSelector }) =>
    compileClusterSelector(requiredClusterSelector, cel),
  );
  const matching = members.filter(
    (cluster) => predicates.length === 0 || predicates.some((matches) => matches(cluster)),
  );
  let wakeAt = Infinity;
  const feasible = matching.filter((cluster) => {
    const taints = cluster.spec.taints ?? [];
    const known = chosen.has(cluster.metadata.name);
    const until = clusterToleratedUntil(taints, tolerations, { chosen: known, now });
    if (until !== undefined) wakeAt = Math.min(wakeAt, until);
    return until !== undefined;
  });
  const scores = prioritize(spec.prioritizerPolicy, { ...state, clusters: feasible });
  if (feasible.length === 0) {
    const lost = members.length - matching.length;
    const why =
      `0 of ${members.length} ManagedClusters can be chosen: ${lost} match no predicate, ` +
      `${matching.length} have taints that are not tolerated`;
    return { ...nothing, scores, wakeAt, why: no("NoManagedClusterMatched", why) };
  }
  return { ...take(spec, feasible, scores), scores, wakeAt };
}

/** The best of `feasible`, as many as asked for. */
function take(
  { numberOfClusters, spreadPolicy }: Placement["spec"],
  feasible: ManagedCluster[],
  scores: ReadonlyMap<string, number>,
): Pick<Chosen, "clusters" | "why"> {
  const rank = ({ metadata: { name } }: ManagedCluster) => scores.get(name)!;
  const byName = (a: ManagedCluster, b: ManagedCluster) =>
    a.metadata.name < b.metadata.name ? -1 : 1;
  const ranked = feasible.toSorted((a, b) => rank(b) - rank(a) || byName(a, b));
  const count = numberOfClusters ?? ranked.length;
  const clusters = spread(ranked, spreadPolicy?.spreadConstraints ?? [], count);
  const missing = count - clusters.length;
  if (missing === 0) {
    const message = "all cluster decisions are made";
    return { clusters, why: { status: "True", reason: "AllDecisionsScheduled", message } };
  }
  const why = `${missing} of ${count} cluster decisions cannot be made`;
  return { clusters, why: no("NotAllDecisionsScheduled", why) };
}

function misconfigured(message: string): PlacementPlan {
  return {
    groups: [],
    status: {},
    conditions: [
      { type: "PlacementMisconfigured", status: "True", reason: "Misconfigured", message },
      { type: "PlacementSatisfied", ...no("Misconfigured", `nothing changes: ${message}`) },
    ],
  };
}

export function planPlacement(state: PlacementState): PlacementPlan {
  const { placement, cel } = state;
  try {
    const { clusters, scores, wakeAt, why } = choose(state);
    const byScore = placement.spec.sortBy === "Score";
    const ordered = byScore
      ? clusters.toSorted((a, b) => scores.get(b.metadata.name)! - scores.get(a.metadata.name)!)
      : clusters.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const groups = divide(placement, ordered, cel);
    const { objects, namesOf } = decisionObjects(placement.metadata.name, groups, scores);
    return {
      decisions: objects,
      groups,
      status: {
        numberOfSelectedClusters: clusters.length,
        decisionGroups: groups.map(({ name, clusters: of }, index) => ({
          decisionGroupIndex: index,
          decisionGroupName: name,
          decisions: namesOf[index]!,
          clusterCount: of.length,
        })),
      },
      conditions: [
        {
          type: "PlacementMisconfigured",
          status: "False",
          reason: "Succeedconfigured",
          message: "the placement can be carried out",
        },
        { type: "PlacementSatisfied", ...why },
      ],
      ...(wakeAt !== Infinity && { wakeAt }),
    };
  } catch (error) {
    if (error instanceof Misconfigured) return misconfigured(error.message);
    throw error;
  }
}
