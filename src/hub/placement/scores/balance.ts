import { scoreMax } from "./score.ts";
import type { Scores, ScoreState } from "./score.ts";

/** The less other placements use a cluster, the better. */
export function balance({ clusters, load }: ScoreState): Scores {
  const most = Math.max(0, ...load.values());
  return new Map(
    clusters.map(({ metadata: { name } }) => {
      const count = load.get(name);
      return [name, count ? 2 * Math.trunc(scoreMax * (0.5 - count / most)) : scoreMax];
    }),
  );
}
