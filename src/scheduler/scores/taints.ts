import { isTolerated } from "../../lib/taint.ts";
import { byLargest, type Score } from "../score.ts";

export const taintPreference: Score = {
  name: "TaintToleration",
  weight: 3,
  prepare(pod, snapshot) {
    if (snapshot.softTainted === 0) return undefined;
    const relevant = pod.tolerations.filter(
      ({ effect }) => !effect || effect === "PreferNoSchedule",
    );
    return (node) => {
      let count = 0;
      for (const taint of node.taints) {
        if (taint.effect === "PreferNoSchedule" && !isTolerated(taint, relevant)) count += 1;
      }
      return count;
    };
  },
  normalize: (scores) => byLargest(scores, true),
};
