// Prefers nodes where CPU and memory would be used in equal measure.
import { scoreMax, type Score } from "../score.ts";

export const balancedAllocation: Score = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  prepare(pod) {
    if (pod.cpu === 0 && pod.memory === 0) return undefined;
    return (node) => {
      if (node.cpu === 0 || node.memory === 0) return scoreMax;
      const cpu = Math.min((node.usedCpu + pod.cpu) / node.cpu, 1);
      const memory = Math.min((node.usedMemory + pod.memory) / node.memory, 1);
      // The standard deviation of two numbers is half their distance.
      return Math.trunc((1 - Math.abs(cpu - memory) / 2) * scoreMax);
    };
  },
};
