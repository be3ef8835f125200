// What a node does for itself beside its pods: rotates logs, drops images that nothing uses, and makes room
// when it runs out of something.
import type { Scope } from "../lib/scope.ts";
import type { AgentContext } from "./context.ts";
import { defaultTransitionMs, PressureWatch, startEviction } from "./eviction/manager.ts";
import { readSignals } from "./eviction/signals.ts";
import { defaultThresholds, parseThresholds } from "./eviction/thresholds.ts";
import { defaultCollection, ImageCollection } from "./images/image-collection.ts";
import { startLogRotation } from "./logs/log-rotation.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { Ending } from "./pods/ending.ts";
import type { PodWorker } from "./pods/pod-worker.ts";
import type { Clock } from "../lib/clock.ts";

const imagesEveryMs = 300_000;
const leftoversEveryMs = 30_000;

/** What broken-off starts left behind. */
async function removeLeftovers({ runtime, cgroups, log }: AgentContext, isKnown: IsKnown) {
  const ended = (await runtime.endOrphans?.()) ?? 0;
  if (ended > 0) log.warn("processes that held no pod any more were ended", { ended });
  await cgroups.removeOthers(isKnown);
}

export function pressureWatch(
  directory: string,
  clock: Clock,
  { evictionHard = defaultThresholds, evictionPressureTransitionMs }: NodeSettings,
): PressureWatch {
  return new PressureWatch(clock, {
    thresholds: parseThresholds(evictionHard),
    transitionMs: evictionPressureTransitionMs ?? defaultTransitionMs,
    read: () => readSignals(directory),
  });
}

type IsKnown = (podUid: string) => boolean;

interface Parts {
  context: AgentContext;
  watch: PressureWatch;
  workers: () => Iterable<PodWorker>;
  evict: (worker: PodWorker, why: Ending) => void;
  settings: NodeSettings;
  scope: Scope;
}

/** Removes the containers of pods that have ended; their logs stay. True when there were some. */
async function removeDeadContainers({ runtime }: AgentContext, workers: Iterable<PodWorker>) {
  let any = false;
  for (const { pod, instances } of workers) {
    const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    for (const { id, state, remembered } of ended ? instances.newest.values() : []) {
      if (state !== "exited" || remembered) continue;
      await runtime.removeContainer(id);
      any = true;
    }
  }
  return any;
}

export function startHousekeeping({ context, watch, workers, evict, settings, scope }: Parts) {
  const { clock, log, directories } = context;
  const images = new ImageCollection(context, workers, {
    ...defaultCollection,
    ...(settings.imageGcHighThreshold !== undefined && {
      highPercent: settings.imageGcHighThreshold,
    }),
    ...(settings.imageGcLowThreshold !== undefined && { lowPercent: settings.imageGcLowThreshold }),
  });
  const collect = async () => {
    const readings = await readSignals(directories.root);
    await images.collect(readings["imagefs.available"]);
  };
  scope.defer(
    clock.every(imagesEveryMs, () => {
      collect().catch((error) => log.warn("images were not collected", { error: String(error) }));
    }),
  );
  const isKnown: IsKnown = (uid) => [...workers()].some(({ pod }) => pod.metadata.uid === uid);
  scope.defer(
    clock.every(leftoversEveryMs, () => {
      removeLeftovers(context, isKnown).catch((error) =>
        log.warn("leftovers were not removed", { error: String(error) }),
      );
    }),
  );
  const reclaim = async () => {
    const containers = await removeDeadContainers(context, workers());
    return (await images.reclaim()) || containers;
  };
  startEviction({ watch, context, workers, evict, reclaim, scope });
  startLogRotation(context, workers, scope);
}
