// In which order pods end when the machine goes down: what is critical to the node ends last, and has its part of
// the time kept for it. Pure.
import { isCritical } from "../pods/priority.ts";
import type { Pod } from "../pods/pod.ts";

export interface ShutdownTimes {
  /** For all of it. */
  gracePeriodMs: number;
  /** The part at the end that is for critical pods. */
  criticalMs: number;
}

export interface ShutdownStep {
  pods: Pod[];
  /** None of them gets more, whatever it asks for. */
  mostMs: number;
}

export function shutdownSteps(pods: Pod[], times: ShutdownTimes): ShutdownStep[] {
  const { gracePeriodMs, criticalMs } = times;
  const [critical, others] = [pods.filter(isCritical), pods.filter((one) => !isCritical(one))];
  const steps = [
    { pods: others, mostMs: Math.max(gracePeriodMs - criticalMs, 0) },
    { pods: critical, mostMs: Math.min(criticalMs, gracePeriodMs) },
  ];
  return steps.filter((step) => step.pods.length > 0);
}
