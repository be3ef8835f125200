// Stops one container, and tells of it.
import type { AgentContext } from "../context.ts";
import type { Container, Pod } from "./pod.ts";
import { stopContainer } from "./stop-container.ts";

export interface KillInput {
  pod: Pod;
  container: Container;
  id: string;
  graceMs: number;
  podIp: string;
  /** Text of the Killing event; "" for the usual one. */
  why: string;
}

export async function killContainer(context: AgentContext, { pod, why, ...input }: KillInput) {
  const { runtime, clock, event, signal } = context;
  event(pod, "Normal", "Killing", why || `Stopping container ${input.container.name}`);
  const failure = await stopContainer({ ...input, runtime, clock, signal });
  if (failure !== undefined) {
    event(pod, "Warning", "FailedPreStopHook", `PreStopHook failed: ${failure}`);
  }
}
