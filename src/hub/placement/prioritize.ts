// The weighted sum of a placement's prioritizers. Balance and Steady count once by default; Additive changes
// weights and adds prioritizers, Exact uses those that are named and no others.
import { Misconfigured } from "./model.ts";
import type { PlacementSpec, ScoreCoordinate } from "./model.ts";
import { addOn } from "./scores/add-on.ts";
import { allocatable } from "./scores/allocatable.ts";
import { balance } from "./scores/balance.ts";
import type { Scores, ScoreState } from "./scores/score.ts";
import { steady } from "./scores/steady.ts";

type Prioritizer = (state: ScoreState) => Scores;

const builtIn: Record<string, Prioritizer> = {
  Balance: balance,
  Steady: steady,
  ResourceAllocatableCPU: allocatable("cpu"),
  ResourceAllocatableMemory: allocatable("memory"),
};

function prioritizerOf({
  type = "BuiltIn",
  ...coordinate
}: ScoreCoordinate): [string, Prioritizer] {
  if (type === "AddOn") {
    if (!coordinate.addOn) throw new Misconfigured("a score of type AddOn must name its addOn");
    const { resourceName, scoreName } = coordinate.addOn;
    return [`AddOn/${resourceName}/${scoreName}`, addOn(resourceName, scoreName)];
  }
  const name = coordinate.builtIn ?? "";
  const found = Object.hasOwn(builtIn, name) ? builtIn[name] : undefined;
  if (!found) throw new Misconfigured(`there is no built-in prioritizer ${JSON.stringify(name)}`);
  return [name, found];
}

function weighted(policy: PlacementSpec["prioritizerPolicy"] = {}) {
  const { mode = "Additive", configurations = [] } = policy;
  if (mode !== "Additive" && mode !== "Exact") {
    throw new Misconfigured(`there is no prioritizer mode ${JSON.stringify(mode)}`);
  }
  const all = new Map<string, { prioritizer: Prioritizer; weight: number }>();
  if (mode === "Additive") {
    all.set("Balance", { prioritizer: balance, weight: 1 });
    all.set("Steady", { prioritizer: steady, weight: 1 });
  }
  for (const { scoreCoordinate, weight = 1 } of configurations) {
    if (!scoreCoordinate) throw new Misconfigured("a prioritizer must have a scoreCoordinate");
    const [name, prioritizer] = prioritizerOf(scoreCoordinate);
    all.set(name, { prioritizer, weight });
  }
  return [...all.values()].filter(({ weight }) => weight !== 0);
}

/** Cluster to score. Throws Misconfigured. */
export function prioritize(policy: PlacementSpec["prioritizerPolicy"], state: ScoreState): Scores {
  const sum: Scores = new Map(state.clusters.map(({ metadata }) => [metadata.name, 0]));
  for (const { prioritizer, weight } of weighted(policy)) {
    for (const [name, score] of prioritizer(state)) sum.set(name, sum.get(name)! + score * weight);
  }
  return sum;
}
