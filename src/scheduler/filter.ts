// What a filter is. `prepare` runs once per pod and says what the filter has to do with it: nothing
// (the commonest answer, which costs nothing per node), a check to run on each node, or that the pod
// can go nowhere.
import type { PodInfo } from "./pod-info.ts";
import type { NodeInfo } from "./node-info.ts";
import type { Snapshot } from "./snapshot.ts";

/** Why a node does not suit, in upstream's words. `resolvable`: evicting pods might help. */
export interface Verdict {
  reasons: string[];
  resolvable: boolean;
}

/** Undefined: the node suits. */
export type Check = (node: NodeInfo) => Verdict | undefined;

/** Kinds of change in the cluster that may make a pod fit where it did not. */
export type WakeEvent = "node" | "pod-added" | "pod-removed" | "volume" | "namespace" | "device";

export interface Filter {
  /** Upstream's name of the plugin. */
  name: string;
  /** What may help a pod this filter turned away. */
  wakes: readonly WakeEvent[];
  prepare(pod: PodInfo, snapshot: Snapshot): Check | { refused: string } | undefined;
}

export const unresolvable = (reason: string): Verdict => ({
  reasons: [reason],
  resolvable: false,
});

export const resolvable = (reason: string): Verdict => ({ reasons: [reason], resolvable: true });
