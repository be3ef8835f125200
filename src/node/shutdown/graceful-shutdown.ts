// Ends this node's pods in their order before the machine goes down (kubelet's graceful node shutdown): no pod begins
// any more, the node says that it is not ready, each step has its time, and then the machine may go.
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { graceMsOf } from "../pods/plan-pod.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { Ending } from "../pods/ending.ts";
import { isStatic } from "../static-pods/identity.ts";
import type { Shutdowns } from "./logind.ts";
import { shutdownSteps } from "./plan.ts";
import type { ShutdownTimes } from "./plan.ts";

const lookMs = 100;

export const refusedAtShutdown: Ending = {
  reason: "NodeShutdown",
  message: "Pod was rejected as the node is shutting down.",
};

export interface GracefulShutdownOptions {
  shutdowns: Shutdowns;
  times: ShutdownTimes;
  workers: () => Iterable<PodWorker>;
  end: (worker: PodWorker, why: Ending) => void;
  /** The node's readiness changed. */
  onChange: () => void;
  clock: Clock;
  log: Log;
}

const runs = ({ instances, state }: PodWorker) =>
  !state.finished && instances.sandbox !== undefined;

export class GracefulShutdown {
  readonly #options: GracefulShutdownOptions;
  #isComing = false;

  constructor(options: GracefulShutdownOptions) {
    this.#options = options;
    options.shutdowns.follow((isComing) => {
      const begins = isComing && !this.#isComing;
      this.#isComing = isComing;
      options.onChange();
      if (begins) void this.#run();
    });
  }

  get isComing() {
    return this.#isComing;
  }

  async #run() {
    const { shutdowns, times, workers, log } = this.#options;
    log.info("the machine goes down: pods end in their order");
    const byUid = new Map([...workers()].filter(runs).map((one) => [one.pod.metadata.uid, one]));
    const pods = [...byUid.values()].map(({ pod }) => pod).filter((pod) => !isStatic(pod));
    for (const step of shutdownSteps(pods, times)) {
      const ending = step.pods.map(({ metadata }) => byUid.get(metadata.uid)!);
      for (const worker of ending) this.#end(worker, step.mostMs);
      await this.#ended(ending, step.mostMs);
    }
    shutdowns.release();
  }

  #end(worker: PodWorker, mostMs: number) {
    this.#options.end(worker, {
      reason: "Terminated",
      message: "Pod was terminated in response to imminent node shutdown.",
      graceMs: Math.min(graceMsOf(worker.pod), mostMs),
      disrupted: "TerminationByKubelet",
    });
  }

  async #ended(workers: PodWorker[], mostMs: number) {
    const { clock } = this.#options;
    const giveUpAt = clock.monotonic() + mostMs;
    while (this.#isComing && workers.some(runs) && clock.monotonic() < giveUpAt) {
      await sleep(clock, lookMs);
    }
  }
}
