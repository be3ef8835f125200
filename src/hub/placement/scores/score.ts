// A prioritizer gives every cluster a score between -100 and 100.
import type { AddOnPlacementScore, ManagedCluster } from "../model.ts";

export const scoreMax = 100;

export interface ScoreState {
  clusters: ManagedCluster[];
  /** Clusters that the placement has now. */
  chosen: ReadonlySet<string>;
  /** Cluster to the number of decisions of other placements for it. */
  load: ReadonlyMap<string, number>;
  /** By `cluster/name`. */
  addOnScores: ReadonlyMap<string, AddOnPlacementScore>;
  now: number;
}

export type Scores = Map<string, number>;
