// Stops one container: its preStop hook first, within the same grace.
import type { AgentContext } from "./context.ts";
import { runHandler } from "./handlers.ts";
import type { Container, Pod } from "./pod.ts";

/** What is left of the grace after a hook, at least. */
const graceMsMin = 2000;

export interface KillInput {
  pod: Pod;
  container: Container;
  id: string;
  graceMs: number;
  podIp: string;
  /** Text of the Killing event; "" for the usual one. */
  why: string;
}

export async function killContainer(context: AgentContext, input: KillInput) {
  const { runtime, clock, event, signal } = context;
  const { pod, container, id, graceMs, podIp, why } = input;
  event(pod, "Normal", "Killing", why || `Stopping container ${container.name}`);
  const began = clock.monotonic();
  const hook = container.lifecycle?.preStop;
  if (hook && graceMs > 0) {
    const handler = {
      runtime,
      clock,
      container,
      containerId: id,
      podIp,
      timeoutMs: graceMs,
      signal,
    };
    const { ok, output } = await runHandler(hook, handler);
    if (!ok) event(pod, "Warning", "FailedPreStopHook", `PreStopHook failed: ${output}`);
  }
  const leftMs = graceMs - (clock.monotonic() - began);
  const lastMs = hook ? Math.max(leftMs, Math.min(graceMsMin, graceMs)) : graceMs;
  await runtime.stopContainer(id, lastMs, container.lifecycle?.stopSignal);
}
