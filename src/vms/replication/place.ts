// Where the copies of a new replicated volume lie. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isTrue } from "../../controllers/pod-state.ts";

export interface PlaceInput {
  nodes: KubeObject[];
  /** Copies that each node has already. */
  load: (node: string) => number;
  copies: number;
}

const runsMachines = "kubevirt.io/schedulable";

/** The nodes with the fewest copies; undefined where there are not enough. */
export function placeCopies({ nodes, load, copies }: PlaceInput): string[] | undefined {
  const able = nodes
    .filter((node) => node.metadata.labels?.[runsMachines] === "true")
    .filter((node) => isTrue(node, "Ready") && !node.spec?.unschedulable)
    .map(({ metadata }) => metadata.name)
    .sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
  return able.length < copies ? undefined : able.slice(0, copies);
}
