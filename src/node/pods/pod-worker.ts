// One pod's life on this node. The worker looks at the runtime, asks `planPod` what to do, begins each action
// as a job that never blocks it, lets the status be written when it changed, and looks again when a job ends, the
// API or the runtime tells of a change, or the plan's time has come. It waits for no write: containers do not start
// later because the API is told of them.
import { resource } from "../../client/client.ts";
import type { Cancel } from "../../lib/clock.ts";
import { differs } from "../../lib/differs.ts";
import { familyOf } from "../../lib/ip-range.ts";
import { isStatus } from "../../lib/status-error.ts";
import { readMessages } from "./container-messages.ts";
import type { AgentContext } from "../context.ts";
import { handlerOf } from "./handler-of.ts";
import { hasExited, instancesOf } from "./instances.ts";
import type { Instances } from "./instances.ts";
import { planPod } from "./plan-pod.ts";
import { allContainers, podText } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import { PodJobs } from "./pod-jobs.ts";
import { crashedUntil, newPodState } from "./pod-state.ts";
import { podStatus } from "./pod-status.ts";
import { prepareVolumes, showsObject } from "./pod-volumes.ts";
import { Prober } from "../probes/prober.ts";
import type { ObjectKind } from "../objects.ts";
import { Resizer } from "../resize/resizer.ts";
import type { Fits } from "../resize/resizer.ts";
import type { Volume } from "../volumes/volume.ts";
import { isStatic } from "../static-pods/identity.ts";

const pods = resource("v1", "pods");
/** A failed look is repeated after this. */
const retryMs = 1000;
/** What is only on its way is told when it takes longer: most pods that start fast are told of once, as running. */
const onItsWayMs = 50;

const revision = (pod: Pod) => Number(pod.metadata.resourceVersion);

export class PodWorker {
  readonly state = newPodState();
  instances: Instances;
  pod: Pod;
  /** What the API has of a static pod. */
  mirror: Pod | undefined;
  /** When it was first seen, monotonic, until it runs; absent for one that was there before. */
  newAt: number | undefined;
  readonly resizer: Resizer;
  readonly #context: AgentContext;
  readonly #jobs: PodJobs;
  readonly #prober: Prober;
  readonly #crashesTold = new Set<string>();
  #dirty = false;
  #looking: Promise<void> | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #stopped = false;
  #timer: Cancel = () => {};
  #refreshTimer: Cancel = () => {};
  #retryTimer: Cancel = () => {};
  #soonTimer: Cancel | undefined;
  #written = "";
  #telling: Promise<void> | undefined;
  #untold = false;

  constructor(context: AgentContext, pod: Pod, fits: Fits = () => undefined) {
    this.#context = context;
    this.resizer = new Resizer(context, this.state.resize, fits);
    this.pod = pod;
    this.instances = instancesOf(pod, undefined);
    this.#prober = new Prober(context, this.state, () => this.wake());
    this.#jobs = new PodJobs(context, this);
  }

  /** The pod as the node has granted it. */
  get allocated(): Pod {
    return this.resizer.allocated(this.pod);
  }

  /** A newer state of the pod in the API. */
  update(pod: Pod) {
    if (revision(pod) < revision(this.pod)) return;
    const before = this.pod;
    this.pod = pod;
    const changed = (part: (one: Pod) => unknown) =>
      JSON.stringify(part(pod)) !== JSON.stringify(part(before));
    const labels = changed(({ metadata }) => [metadata.labels, metadata.annotations]);
    const asked = changed(({ metadata, spec }) => [metadata.deletionTimestamp, spec]);
    if (labels) this.refreshVolumes();
    // Others end pods too, and write the conditions that readiness gates wait for.
    const told = changed(({ status }) => status?.phase);
    if (labels || asked || told || pod.spec["readinessGates"]) this.wake();
  }

  /** The API's picture of this static pod, which shows its status. */
  setMirror(mirror: Pod) {
    if (mirror.metadata.uid !== this.mirror?.metadata.uid) this.#written = "";
    this.mirror = mirror;
    this.wake();
  }

  /** The API has the pod no longer. */
  deleted() {
    this.state.gone = true;
    this.#context.gate.ready?.(this.pod.metadata.uid, undefined);
    this.wake();
  }

  /** A ConfigMap or Secret changed. */
  objectChanged(kind: ObjectKind, name: string) {
    this.retry(/ConfigError$|^FailedMount$/);
    if (this.state.volumesReady && showsObject(this.pod, kind, name)) this.refreshVolumes();
  }

  /** What failed for such a reason is tried again at once. */
  retry(reason: RegExp) {
    const waiting = [...this.state.trouble.values()].filter((one) => reason.test(one.reason));
    for (const trouble of waiting) trouble.retryAt = 0;
    if (waiting.length > 0) this.wake();
  }

  wake() {
    this.#dirty = true;
    if (this.state.admitting) return;
    this.#looking ??= this.#look();
  }

  async stop() {
    this.#stopped = true;
    this.#timer();
    this.#refreshTimer();
    this.#retryTimer();
    this.#prober.stop();
    await this.#looking;
    this.#soonTimer?.();
    await this.#telling;
  }

  /** Brings live volumes up to date. */
  refreshVolumes() {
    if (!this.state.volumesReady || this.state.finished || this.#stopped) return;
    const podIps = this.instances.sandbox?.ips ?? [];
    this.#refreshing = this.#refreshing.then(async () => {
      if (!this.state.volumesReady) return;
      try {
        const options = { again: this.#jobs.toRefresh(), podIps };
        this.#jobs.volumesMade(await prepareVolumes(this.#context, this.pod, options));
      } catch (error) {
        this.#context.event(this.pod, "Warning", "FailedMount", (error as Error).message);
        this.refreshAt(this.#context.clock.now() + 60_000);
      }
    });
  }

  /** What the pod's volumes are, once they are made. */
  get volumes(): ReadonlyMap<string, Volume> {
    return this.state.volumesReady ? this.#jobs.volumes : new Map();
  }

  /** Nothing writes into the pod's volumes from here on. */
  async volumesAtRest() {
    this.state.volumesReady = false;
    await this.#refreshing;
  }

  /** Refreshes live volumes at a time of the wall clock. */
  refreshAt(time: number) {
    const { clock } = this.#context;
    this.#refreshTimer();
    this.#refreshTimer = clock.after(Math.max(time - clock.now(), 0), () => this.refreshVolumes());
  }

  async #look() {
    while (this.#dirty && !this.#stopped && !this.state.finished) {
      this.#dirty = false;
      const { metrics, clock: time } = this.#context;
      const began = time.monotonic();
      try {
        await this.#once();
        metrics.turn("sync", time.monotonic() - began);
      } catch (error) {
        this.#failed(error);
      }
    }
    // In the same breath as the last look at #dirty: a wake in between would be lost.
    this.#looking = undefined;
  }

  #failed(error: unknown) {
    const { log, clock } = this.#context;
    log.warn("a pod's turn failed", { pod: podText(this.pod), error: String(error) });
    this.#retryTimer();
    if (!this.#stopped) this.#retryTimer = clock.after(retryMs, () => this.wake());
  }

  async #once() {
    const { runtime, clock } = this.#context;
    const runtimePod = await runtime.pod(this.pod.metadata.uid);
    const instances = instancesOf(this.pod, runtimePod);
    const { messages } = this.state;
    // First: what is seen here may be told at once, and whoever reads that a container ended acts on its last words.
    await readMessages(this.#context, this.pod, instances, messages);
    this.instances = instances;
    const address = this.#context.movedAddress(this.pod.metadata.uid);
    const { sandbox } = this.instances;
    if (sandbox && address) {
      const ips = sandbox.ips.map((ip) => (familyOf(ip) === familyOf(address) ? address : ip));
      this.instances.sandbox = { ...sandbox, ips };
    }
    this.#prober.follow(
      () => this.pod,
      () => this.instances,
    );
    this.#tellCrashes();
    await this.resizer.look(this.pod, this.instances);
    const { actions, wakeAt } = planPod(this.allocated, this.instances, this.state, clock.now());
    for (const action of actions) this.#jobs.begin(action);
    this.#timer();
    if (wakeAt !== undefined) {
      this.#timer = clock.after(Math.max(wakeAt - clock.now(), 0) + 1, () => this.wake());
    }
    if (this.#isOnItsWay()) this.#soonTimer ??= clock.after(onItsWayMs, () => this.#tell());
    else this.#tell();
  }

  /** New, with nothing to tell but that. */
  #isOnItsWay(): boolean {
    const { state, instances, newAt } = this;
    const hasBegun = [...instances.newest.values()].some((one) => one.state !== "created");
    const hasNews = hasBegun || state.ending || state.trouble.size > 0;
    if (newAt === undefined || hasNews || this.pod.metadata.deletionTimestamp) return false;
    return this.#context.clock.monotonic() - newAt < onItsWayMs;
  }

  /** One write at a time, of what is true when it begins. */
  #tell() {
    this.#soonTimer?.();
    this.#untold = true;
    this.#telling ??= this.#tellAll();
  }

  async #tellAll() {
    while (this.#untold) {
      this.#untold = false;
      await this.#writeStatus().catch((error: unknown) => this.#failed(error));
    }
    this.#telling = undefined;
  }

  #tellCrashes() {
    const { clock, event } = this.#context;
    for (const instance of this.instances.newest.values()) {
      if (!hasExited(instance) || this.#crashesTold.has(instance.id)) continue;
      if (!crashedUntil(this.state, instance, clock.now())) continue;
      this.#crashesTold.add(instance.id);
      const text = `Back-off restarting failed container ${instance.name} in pod ${podText(this.pod)}`;
      event(this.pod, "Warning", "BackOff", text);
    }
  }

  #deviceHealth(container: Container) {
    return this.#context.devices?.healthOf(this.pod, container) ?? [];
  }

  /** True when a container of it was given devices. */
  get hasDevices() {
    return allContainers(this.pod).some((one) => this.#deviceHealth(one).length > 0);
  }

  /** Once, of a pod that began while this agent was there. */
  #tellStart() {
    const { clock, metrics } = this.#context;
    const { newAt } = this;
    if (newAt === undefined) return;
    this.newAt = undefined;
    const createdMs = clock.now() - Date.parse(this.pod.metadata.creationTimestamp ?? "");
    metrics.podRuns({ seenMs: clock.monotonic() - newAt, createdMs });
  }

  #tellReady({ conditions }: Record<string, any>) {
    const isReady = conditions.some((one: any) => one.type === "Ready" && one.status === "True");
    this.#context.gate.ready?.(this.pod.metadata.uid, isReady);
  }

  /** Resolves when the API has the status as it is now. */
  async writeStatus() {
    await this.#telling;
    await this.#writeStatus();
  }

  /** Writes the status when it differs from what the API has. */
  async #writeStatus() {
    const { client, clock, facts } = this.#context;
    if (this.state.gone) return;
    const { pod, instances, state } = this;
    const now = clock.now();
    const { hostIps } = facts;
    const deviceHealth = (container: Container) => this.#deviceHealth(container);
    const canRecursiveReadOnly = handlerOf(this.#context, pod)?.recursiveReadOnlyMounts ?? false;
    const seen = { pod, instances, state, now, hostIps, deviceHealth, canRecursiveReadOnly };
    const status = podStatus(seen);
    this.#tellReady(status);
    const text = JSON.stringify(status);
    const known = isStatic(pod) ? this.mirror : pod;
    if (isStatic(pod)) this.pod = { ...pod, status };
    if (!known || text === this.#written || !differs(status, known.status)) return;
    const { namespace, name, uid } = known.metadata;
    const target = { ...pods, namespace, name, subresource: "status" };
    try {
      const written = await client.patch<Pod>(target, "merge", { metadata: { uid }, status });
      this.#written = text;
      if (status.phase === "Running") this.#tellStart();
      if (known !== pod) this.mirror = written;
      else if (revision(written) > revision(this.pod)) this.pod = written;
    } catch (error) {
      if (isStatus(error, "NotFound")) return;
      if (isStatus(error, "Conflict")) return this.wake();
      throw error;
    }
  }
}
