import { scoreMax, type Score } from "../score.ts";

const free = (used: number, has: number) =>
  has === 0 || used > has ? 0 : Math.trunc(((has - used) * scoreMax) / has);

export const leastAllocated: Score = {
  name: "NodeResourcesFit",
  weight: 1,
  prepare: (pod) => (node) => {
    if (node.cpu === 0 && node.memory === 0) return 0;
    const cpu = free(node.scoredCpu + pod.scoredCpu, node.cpu);
    const memory = free(node.scoredMemory + pod.scoredMemory, node.memory);
    const measured = (node.cpu === 0 ? 0 : 1) + (node.memory === 0 ? 0 : 1);
    return Math.trunc((cpu + memory) / measured);
  },
};
