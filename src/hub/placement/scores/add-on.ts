import { scoreMax } from "./score.ts";
import type { Scores, ScoreState } from "./score.ts";

/** What an add-on said of each cluster in its AddOnPlacementScore, while that is valid. */
export const addOn =
  (resourceName: string, scoreName: string) =>
  ({ clusters, addOnScores, now }: ScoreState): Scores =>
    new Map(
      clusters.map(({ metadata: { name } }) => {
        const { status } = addOnScores.get(`${name}/${resourceName}`) ?? {};
        const stale = status?.validUntil !== undefined && Date.parse(status.validUntil) < now;
        const value = stale ? 0 : (status?.scores?.find((s) => s.name === scoreName)?.value ?? 0);
        return [name, Math.min(Math.max(value, -scoreMax), scoreMax)];
      }),
    );
