// What a score is: a number per node, made comparable by scaling all nodes' numbers to 0..100, then
// weighted as upstream weights it by default.
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";

export const scoreMax = 100;

export interface Score {
  /** Upstream's name of the plugin. */
  name: string;
  weight: number;
  /** Undefined when every node would score the same. `nodes` are those that passed the filters. */
  prepare(
    pod: PodInfo,
    snapshot: Snapshot,
    nodes: readonly NodeInfo[],
  ): ((node: NodeInfo) => number) | undefined;
  /** Scales raw scores in place; absent when they are 0..100 already. */
  normalize?(scores: Float64Array): void;
}

/** Scales so that the largest becomes 100; `reverse` then turns 100 into 0. */
export function byLargest(scores: Float64Array, reverse: boolean) {
  let most = 0;
  for (const score of scores) if (score > most) most = score;
  for (let i = 0; i < scores.length; i++) {
    const scaled = most === 0 ? 0 : Math.trunc((scores[i]! * scoreMax) / most);
    scores[i] = reverse ? scoreMax - scaled : scaled;
  }
}

/** Scales so that the smallest becomes 0 and the largest 100. */
export function byRange(scores: Float64Array) {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (score < least) least = score;
    if (score > most) most = score;
  }
  const range = most - least;
  for (let i = 0; i < scores.length; i++) {
    scores[i] = range > 0 ? Math.trunc((scoreMax * (scores[i]! - least)) / range) : 0;
  }
}
