// The scheduler's loop: take the next pod, plan, assume the plan came true, and write it while the
// next pod is planned. It sees only a Client and informers, so it serves Kerb's own server and any
// conformant cluster alike.
import type { Client } from "../client/client.ts";
import type { ControllerContext } from "../controllers/runtime.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { bind, evict, tellWaiting, type Waiting } from "./bind.ts";
import { bindDevices, grantDevices, type Grant } from "./bind-devices.ts";
import { Cache, inputs, type Informers } from "./cache.ts";
import { bindClaims, waitingClaims } from "./claims.ts";
import type { CompileSelector } from "./devices/devices.ts";
import type { WakeEvent } from "./filter.ts";
import { plan, type Plan } from "./plan.ts";
import type { PodInfo } from "./pod-info.ts";
import { disruptionBudget } from "./preemption.ts";
import { filters } from "./profile.ts";
import { SchedulingQueue, type QueuedPod } from "./queue.ts";

export interface SchedulerOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
  /** Informers of `inputs` in cache.ts, started by their owner. */
  informers: Informers;
  event: ControllerContext["event"];
  /** Pods with this `spec.schedulerName` are ours. */
  schedulerName?: string;
  /** What judges devices by CEL; loaded by the first pod that claims some. */
  loadSelector: () => Promise<CompileSelector>;
}

/** Writes under way at once; planning waits beyond that. */
const writesMax = 128;
/** Planning yields to everything else in the process after this long. */
const sliceMs = 5;

const wakesOf = new Map(filters.map(({ name, wakes }) => [name, wakes]));

/** Resolves once the informers are complete and scheduling has begun. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const scheduler = new Scheduler(options);
  options.scope.defer(() => scheduler.stop());
  await scheduler.start();
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #queue: SchedulingQueue;
  readonly #cache: Cache;
  #writes = 0;
  #pumping = false;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const onChange = () => this.#pump();
    this.#queue = new SchedulingQueue(options.clock, onChange);
    this.#cache = new Cache({
      informers: options.informers,
      queue: this.#queue,
      schedulerName: options.schedulerName ?? "default-scheduler",
      loadSelector: options.loadSelector,
      onChange,
      onGated: (info) => this.#gated(info),
    });
  }

  async start() {
    await this.#cache.start();
    this.#pump();
  }

  stop() {
    this.#stopped = true;
    this.#queue.stop();
    this.#cache.stop();
  }

  /** Runs later, so that a burst of events is taken in before the first decision. */
  #pump() {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#run();
    });
  }

  #run() {
    const { clock } = this.#options;
    const end = clock.monotonic() + sliceMs;
    while (!this.#stopped && this.#writes < writesMax) {
      const pod = this.#queue.pop();
      if (!pod) return;
      this.#schedule(pod);
      if (clock.monotonic() >= end) return this.#pump();
    }
  }

  #schedule(pod: QueuedPod) {
    const { random } = this.#options;
    const { snapshot } = this.#cache;
    const result = plan(pod.info, snapshot, random, { budgets: this.#budgets });
    if ("node" in result) this.#place(pod, result.node);
    else this.#wait(pod, result);
  }

  readonly #budgets = () =>
    this.#options
      .informers(inputs.budgets)
      .list()
      .map((budget) => disruptionBudget(budget));

  #place(pod: QueuedPod, node: string) {
    const { snapshot, assumed } = this.#cache;
    const { info } = pod;
    const claims = info.pod.spec?.volumes ? waitingClaims(info, snapshot) : [];
    const grant = this.#grant(info, node);
    snapshot.place(info, node);
    snapshot.clearNomination(info.uid);
    assumed.add(info.uid);
    this.#write(async () => {
      try {
        if (claims.length > 0) await bindClaims(claims, node, this.#claimOptions());
        if (grant) await bindDevices(this.#options.client, info, grant);
        await bind(this.#options.client, info, node);
        this.#options.event(
          info.pod,
          "Normal",
          "Scheduled",
          `Successfully assigned ${info.namespace}/${info.name} to ${node}`,
        );
        this.#queue.remove(info.uid);
      } catch (error) {
        for (const uid of grant?.allocations.keys() ?? []) snapshot.devices!.forget(uid);
        this.#failed(pod, error);
      }
    });
  }

  #grant(info: PodInfo, node: string): Grant | undefined {
    if (!info.pod.spec?.resourceClaims) return undefined;
    const { snapshot } = this.#cache;
    return grantDevices(info, snapshot.byName.get(node)!, snapshot.devices!);
  }

  #claimOptions() {
    const { client, clock, informers, scope } = this.#options;
    const { snapshot } = this.#cache;
    return { client, clock, snapshot, claims: informers(inputs.claims), signal: scope.signal };
  }

  /** The binding did not come true: what was assumed is taken back. */
  #failed(pod: QueuedPod, error: unknown) {
    const { info } = pod;
    if (this.#cache.assumed.delete(info.uid)) this.#cache.snapshot.remove(info.uid);
    if (isStatus(error, "NotFound")) return this.#queue.remove(info.uid);
    if (this.#stopped) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.log.warn("binding failed", { pod: `${info.namespace}/${info.name}`, message });
    this.#options.event(info.pod, "Warning", "FailedScheduling", message);
    this.#queue.retry(pod);
  }

  #wait(pod: QueuedPod, result: Exclude<Plan, { node: string }>) {
    const { info } = pod;
    const { message } = result.unschedulable;
    const wakes = new Set<WakeEvent>();
    for (const filter of result.filters) for (const event of wakesOf.get(filter)!) wakes.add(event);
    this.#queue.park(pod, wakes);
    this.#options.event(info.pod, "Warning", "FailedScheduling", message);
    const { preemption } = result;
    if (preemption) this.#cache.snapshot.nominate(info, preemption.node);
    const nominatedNodeName = preemption?.node;
    this.#write(async () => {
      await this.#tell(info, {
        reason: "Unschedulable",
        message,
        ...(nominatedNodeName && { nominatedNodeName }),
      });
      if (preemption) await this.#evict(info, preemption.node, preemption.victims);
    });
  }

  #gated(info: PodInfo) {
    const message = "Scheduling is blocked due to non-empty scheduling gates";
    this.#write(() => this.#tell(info, { reason: "SchedulingGated", message }));
  }

  async #evict(info: PodInfo, node: string, victims: PodInfo[]) {
    const { client, clock, event } = this.#options;
    for (const victim of victims) {
      if (victim.pod.metadata.deletionTimestamp) continue;
      await evict(client, clock, victim, info);
      event(victim.pod, "Normal", "Preempted", `Preempted by pod ${info.uid} on node ${node}`);
    }
  }

  #tell(info: PodInfo, waiting: Waiting) {
    return tellWaiting(this.#options.client, this.#options.clock, info, waiting);
  }

  #write(run: () => Promise<void>) {
    this.#writes += 1;
    void run()
      .catch((error: unknown) => {
        if (this.#stopped || isStatus(error, "NotFound", "Conflict")) return;
        this.#options.log.warn("writing failed", { error: String(error) });
      })
      .finally(() => {
        this.#writes -= 1;
        if (this.#queue.size > 0) this.#pump();
      });
  }
}
