import type { Filter, Verdict } from "../filter.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";

interface Shortage {
  reason: string;
  /** Asked for more than the node has even when empty. */
  hopeless: boolean;
}

const shortage = (name: string, asked: number, has: number): Shortage => ({
  reason: `Insufficient ${name}`,
  hopeless: asked > has,
});

function shortages(pod: PodInfo, node: NodeInfo): Shortage[] {
  const found: Shortage[] = [];
  if (node.pods.size + 1 > node.podsMax) {
    found.push({ reason: "Too many pods", hopeless: node.podsMax === 0 });
  }
  if (pod.cpu > 0 && pod.cpu > node.cpu - node.usedCpu) {
    found.push(shortage("cpu", pod.cpu, node.cpu));
  }
  if (pod.memory > 0 && pod.memory > node.memory - node.usedMemory) {
    found.push(shortage("memory", pod.memory, node.memory));
  }
  const { ephemeralStorage } = pod;
  if (
    ephemeralStorage > 0 &&
    ephemeralStorage > node.ephemeralStorage - node.usedEphemeralStorage
  ) {
    found.push(shortage("ephemeral-storage", ephemeralStorage, node.ephemeralStorage));
  }
  for (const [name, amount] of pod.extended) {
    const has = node.extended.get(name) ?? 0;
    if (amount > has - (node.usedExtended.get(name) ?? 0)) found.push(shortage(name, amount, has));
  }
  return found;
}

const fits = (pod: PodInfo, node: NodeInfo) =>
  node.pods.size < node.podsMax &&
  (pod.cpu === 0 || pod.cpu <= node.cpu - node.usedCpu) &&
  (pod.memory === 0 || pod.memory <= node.memory - node.usedMemory);

export const resourcesFit: Filter = {
  name: "NodeResourcesFit",
  wakes: ["node", "pod-removed"],
  prepare(pod) {
    const simple = pod.ephemeralStorage === 0 && pod.extended.length === 0;
    return (node): Verdict | undefined => {
      if (simple && fits(pod, node)) return undefined;
      const found = shortages(pod, node);
      if (found.length === 0) return undefined;
      return {
        reasons: found.map(({ reason }) => reason),
        resolvable: !found.some(({ hopeless }) => hopeless),
      };
    };
  },
};
