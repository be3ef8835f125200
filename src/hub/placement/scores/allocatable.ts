import { parseQuantity } from "../../../lib/quantity.ts";
import type { ManagedCluster } from "../model.ts";
import { scoreMax } from "./score.ts";
import type { Scores, ScoreState } from "./score.ts";

/** A site may say anything of itself: what is no quantity counts as unknown. */
function amountOf({ status }: ManagedCluster, resource: string): number | undefined {
  const { [resource]: allocatable } = status?.allocatable ?? {};
  if (allocatable === undefined || status?.capacity?.[resource] === undefined) return undefined;
  try {
    return parseQuantity(allocatable);
  } catch {
    return undefined;
  }
}

/** The cluster with the most of `resource` gets 100, that with the least -100, linear between. */
export const allocatable =
  (resource: string) =>
  ({ clusters }: ScoreState): Scores => {
    const known = clusters.flatMap((cluster): [string, number][] => {
      const amount = amountOf(cluster, resource);
      return amount === undefined ? [] : [[cluster.metadata.name, amount]];
    });
    const amounts = known.map(([, amount]) => amount);
    const least = Math.min(...amounts);
    const range = Math.max(...amounts) - least;
    return new Map(
      known.map(([name, amount]) => [
        name,
        range === 0 ? scoreMax : Math.trunc(((amount - least) / range - 0.5) * 2 * scoreMax),
      ]),
    );
  };
