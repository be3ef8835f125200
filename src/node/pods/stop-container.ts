// Ends one container: its preStop hook first, within the same grace. It needs no API.
import type { Clock } from "../../lib/clock.ts";
import { runHandler } from "../probes/handlers.ts";
import type { Container } from "./pod.ts";
import type { Runtime } from "../runtime.ts";

/** What is left of the grace after a hook, at least. */
const graceMsMin = 2000;

export interface StopInput {
  runtime: Runtime;
  clock: Clock;
  signal: AbortSignal;
  container: Container;
  id: string;
  graceMs: number;
  podIp: string;
}

/** Resolves with why the hook failed, if it did. */
export async function stopContainer(input: StopInput): Promise<string | undefined> {
  const { runtime, clock, signal, container, id, graceMs, podIp } = input;
  const began = clock.monotonic();
  const hook = container.lifecycle?.preStop;
  let failure: string | undefined;
  if (hook && graceMs > 0) {
    const handler = { ...{ runtime, clock, container, podIp, signal }, containerId: id };
    const { ok, output } = await runHandler(hook, { ...handler, timeoutMs: graceMs });
    if (!ok) failure = output;
  }
  const leftMs = graceMs - (clock.monotonic() - began);
  const lastMs = hook ? Math.max(leftMs, Math.min(graceMsMin, graceMs)) : graceMs;
  await runtime.stopContainer(id, lastMs, container.lifecycle?.stopSignal);
  return failure;
}
