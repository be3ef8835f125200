// How `kerb down` ends a pod.
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { endingContainerOf, graceSecondsOf } from "../../node/pods/grace.ts";
import { stopContainer } from "../../node/pods/stop-container.ts";
import type { Runtime, RuntimePod } from "../../node/runtime.ts";

const removeMsMax = 20_000;
const againMs = 250;

export interface StopPodOptions {
  runtime: Runtime;
  pod: RuntimePod;
  /** Seconds, in the place of the pod's own. */
  gracePeriod?: number | undefined;
  clock: Clock;
}

/** Ends a pod's containers by their hooks and within their grace, then the pod. */
export async function stopPod({ runtime, pod, gracePeriod, clock }: StopPodOptions) {
  const running = pod.containers.filter(({ state }) => state === "running");
  const hooked = running.some(
    ({ name, annotations }) => endingContainerOf(name, annotations).lifecycle,
  );
  const detail = hooked ? await runtime.pod(pod.sandboxes[0]?.podUid ?? "") : undefined;
  const podIp = detail?.sandboxes.find(({ ready }) => ready)?.ips[0] ?? "127.0.0.1";
  const { signal } = new AbortController();
  await Promise.all(
    running.map(({ id, name, annotations }) =>
      stopContainer({
        ...{ runtime, clock, signal, id, podIp },
        container: endingContainerOf(name, annotations),
        graceMs: (gracePeriod ?? graceSecondsOf(annotations)) * 1000,
      }),
    ),
  );
  for (const { id } of pod.sandboxes) await removeSandbox(runtime, id, clock);
}

/** containerd removes nothing that is starting, and finishes a start that Kerb no longer waits for. */
async function removeSandbox(runtime: Runtime, id: string, clock: Clock) {
  const giveUpAt = clock.monotonic() + removeMsMax;
  for (;;) {
    try {
      await runtime.stopSandbox(id);
      return await runtime.removeSandbox(id);
    } catch (error) {
      if (clock.monotonic() >= giveUpAt) throw error;
    }
    await sleep(clock, againMs);
  }
}
