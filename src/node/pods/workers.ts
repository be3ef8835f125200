// The pods of this node and their workers: admits those that are new, and finds them for whoever asks.
import type { KubeObject } from "../../kinds/object.ts";
import { isNew, refusalOf } from "./admit-pod.ts";
import type { AgentContext } from "../context.ts";
import type { PressureWatch } from "../eviction/manager.ts";
import { instancesOf, isRunning, mayRun } from "./instances.ts";
import type { HoldingPod } from "../devices/devices.ts";
import { allContainers, podText } from "./pod.ts";
import type { Pod } from "./pod.ts";
import type { Ending } from "./ending.ts";
import { PodWorker } from "./pod-worker.ts";
import { refusedAtShutdown } from "../shutdown/graceful-shutdown.ts";
import { resizeRefusal } from "../resize/verdict.ts";
import { isMirror } from "../static-pods/identity.ts";
import type { RuntimePod } from "../runtime.ts";

const hasEnded = ({ status }: Pod) => status?.phase === "Succeeded" || status?.phase === "Failed";

interface WorkersOptions {
  node: () => KubeObject | undefined;
  watch: PressureWatch;
  /** The pod as it is to be run. */
  alter: (pod: Pod) => Pod;
  /** What ran before anybody looked. */
  running: ReadonlyMap<string, RuntimePod>;
}

export class Workers {
  readonly byUid = new Map<string, PodWorker>();
  readonly #context: AgentContext;
  readonly #node: () => KubeObject | undefined;
  readonly #watch: PressureWatch;
  readonly #alter: (pod: Pod) => Pod;
  readonly #running: ReadonlyMap<string, RuntimePod>;
  /** Ends the wait of a pod that is not decided on, by its uid. */
  readonly #admitting = new Map<string, AbortController>();
  /** No pod begins any more while it is. */
  isShuttingDown = () => false;
  /** By container id, as far as it was told. */
  readonly #cpusets = new Map<string, string>();

  constructor(context: AgentContext, { node, watch, alter, running }: WorkersOptions) {
    this.#context = context;
    this.#node = node;
    this.#watch = watch;
    this.#alter = alter;
    this.#running = running;
  }

  seen(object: KubeObject) {
    const pod = this.#alter(object as Pod);
    const { uid } = pod.metadata;
    if (isMirror(pod)) return;
    const known = this.byUid.get(uid);
    if (known) {
      if (pod.metadata.deletionTimestamp) this.#admitting.get(uid)?.abort();
      return known.update(pod);
    }
    const worker = new PodWorker(this.#context, pod, this.#fits);
    worker.instances = instancesOf(pod, this.#running.get(uid));
    if (isNew(pod)) {
      worker.newAt = this.#context.clock.monotonic();
      this.#admit(worker);
    }
    this.byUid.set(uid, worker);
    worker.wake();
  }

  /** The pods whose containers may run still, whatever others wrote into their status. */
  holders(): HoldingPod[] {
    return [...this.byUid.values()]
      .filter(({ state, pod, instances }) => {
        return !state.finished && (!hasEnded(pod) || mayRun(instances));
      })
      .map(({ pod, state: { gone, ending } }) => {
        const isLeaving = gone || ending !== undefined || hasEnded(pod);
        return { pod, isLeaving };
      });
  }

  /** What else the node has promised room to. */
  #others({ metadata }: Pod): Pod[] {
    return [...this.byUid.values()]
      .filter(({ state: { ending, gone }, pod }) => !ending && !gone && !hasEnded(pod))
      .filter(({ pod }) => pod.metadata.uid !== metadata.uid)
      .map((one) => one.allocated);
  }

  #allocatable = () => this.#node()?.status?.allocatable ?? this.#context.facts.allocatable;

  #fits = (asked: Pod) => resizeRefusal(asked, this.#others(asked), this.#allocatable());

  #admit(worker: PodWorker) {
    const { pod, state } = worker;
    const { facts, devices, cpus } = this.#context;
    const node = this.#node();
    if (this.isShuttingDown()) return this.#refuse(worker, refusedAtShutdown);
    const refusal = refusalOf(pod, this.#others(pod), {
      name: facts.nodeName,
      labels: node && (node.metadata.labels ?? {}),
      allocatable: this.#allocatable(),
      pressure: this.#watch.pressure(),
      abilities: this.#context.abilities,
    });
    if (refusal) return this.#refuse(worker, refusal);
    state.admitting = true;
    const { uid } = pod.metadata;
    const waiting = new AbortController();
    this.#admitting.set(uid, waiting);
    const devicesFirst = devices?.isAskedBy(pod)
      ? devices.admit(pod, waiting.signal)
      : Promise.resolve(undefined);
    void devicesFirst
      .then((late) => late ?? cpus.admit(pod))
      .then(async (late) => {
        // It is decided when the agent starts again.
        if (this.#context.signal.aborted) return;
        if (late) await devices?.release(uid);
        state.admitting = false;
        this.#admitting.delete(uid);
        if (late) this.#refuse(worker, late);
        worker.wake();
      });
  }

  /** Tells running containers which processors they have now. */
  async spreadCpus() {
    const { runtime, cpus, log } = this.#context;
    for (const { allocated, instances } of this.byUid.values()) {
      for (const container of allContainers(allocated)) {
        const instance = instances.newest.get(container.name);
        const cpusetCpus = isRunning(instance) ? cpus.cpusetOf(allocated, container) : undefined;
        if (!cpusetCpus || this.#cpusets.get(instance!.id) === cpusetCpus) continue;
        this.#cpusets.set(instance!.id, cpusetCpus);
        await runtime.updateContainer?.(instance!.id, { cpusetCpus }).catch((error) => {
          this.#cpusets.delete(instance!.id);
          log.warn("a container keeps its cpus", { error: String(error) });
        });
      }
    }
  }

  /** Ends a pod that the node cannot keep. */
  evict(worker: PodWorker, why: Ending) {
    const { pod, state } = worker;
    this.#context.log.info("a pod is evicted", { pod: podText(pod), why: why.message });
    state.ending = why;
    this.#context.event(pod, "Warning", why.reason, why.message);
    worker.wake();
  }

  #refuse({ pod, state }: PodWorker, refusal: Ending) {
    state.ending = refusal;
    const message = refusal.message.replace("Pod was rejected: ", "");
    this.#context.event(pod, "Warning", refusal.reason, message);
  }

  all = () => this.byUid.values();

  /** By its uid, or that of its mirror. */
  find(uid: string): PodWorker | undefined {
    const mirrored = ({ mirror }: PodWorker) => mirror?.metadata.uid === uid;
    return this.byUid.get(uid) ?? [...this.byUid.values()].find(mirrored);
  }

  deleted(object: KubeObject) {
    const worker = this.byUid.get(object.metadata.uid);
    if (!worker) return;
    worker.deleted();
    this.#admitting.get(object.metadata.uid)?.abort();
    this.prune();
  }

  /** Forgets the workers that have nothing left to do. */
  prune() {
    for (const [uid, { state, instances }] of this.byUid) {
      if (!state.finished) continue;
      this.byUid.delete(uid);
      for (const { id } of instances.newest.values()) this.#cpusets.delete(id);
      this.#context.objects.forget(uid);
    }
  }

  wakeAll() {
    this.prune();
    void this.spreadCpus();
    for (const worker of this.byUid.values()) worker.wake();
  }

  async stop() {
    await Promise.all([...this.byUid.values()].map((worker) => worker.stop()));
  }
}
