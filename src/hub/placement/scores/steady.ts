import { scoreMax } from "./score.ts";
import type { Scores, ScoreState } from "./score.ts";

/** What is chosen stays chosen. */
export const steady = ({ clusters, chosen }: ScoreState): Scores =>
  new Map(
    clusters.map(({ metadata: { name } }) => [name, chosen.has(name) ? scoreMax : 0] as const),
  );
