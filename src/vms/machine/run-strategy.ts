// When a machine is to run. Pure.
import type { KubeObject } from "../../kinds/object.ts";

export const runStrategies = ["Always", "RerunOnFailure", "Manual", "Halted", "Once"] as const;
export type RunStrategy = (typeof runStrategies)[number];

/** `running` is the older word for Always and Halted. */
export const runStrategyOf = ({ spec }: Pick<KubeObject, "spec">): RunStrategy =>
  spec.runStrategy ?? (spec.running ? "Always" : "Halted");

export interface StateChange {
  action: "Start" | "Stop";
  /** Of the instance that is to stop. */
  uid?: string;
  data?: { paused?: string };
}

export const finalPhases = ["Succeeded", "Failed"];
export const isFinal = (instance: KubeObject) => finalPhases.includes(instance.status?.phase);
