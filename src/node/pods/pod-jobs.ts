// Carries out the actions of a plan, each as a job of its own; the worker is woken when one ends.
import { rm } from "node:fs/promises";
import { resource } from "../../client/client.ts";
import { sleep } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { AgentContext } from "../context.ts";
import { NotPrepared } from "../devices/claims.ts";
import { handlerName } from "./handler-of.ts";
import { logDirectory } from "../directories.ts";
import { hasExited } from "./instances.ts";
import type { Instances } from "./instances.ts";
import { killContainer } from "./kill-container.ts";
import { logFiles } from "../logs/logs.ts";
import { phaseOf } from "./phase.ts";
import type { Action } from "./plan-pod.ts";
import { containerTypeOf } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import { nextBackoff, nextTrouble, podTrouble } from "./pod-state.ts";
import type { PodState } from "./pod-state.ts";
import { prepareVolumes, removePodFiles, removePodVolumes } from "./pod-volumes.ts";
import { ensureImage } from "../images/pull-image.ts";
import type { Resizer } from "../resize/resizer.ts";
import type { SandboxConfig } from "../runtime.ts";
import { sandboxConfig } from "./sandbox-config.ts";
import { startContainer } from "./start-container.ts";
import { isStatic } from "../static-pods/identity.ts";
import type { Volume } from "../volumes/volume.ts";

const pods = resource("v1", "pods");
/** ErrImagePull is shown this long before it becomes ImagePullBackOff. */
const imageErrorMs = 1000;
const firstRetryMs = 1000;

const usesClaims = (pod: Pod) =>
  (pod.spec.volumes ?? []).some((one) => one.persistentVolumeClaim ?? one.ephemeral ?? one.csi);

type Of<D extends Action["do"]> = Extract<Action, { do: D }>;

const messageOf = (error: unknown) => (error as Error).message;

/** Who has the jobs done. */
export interface PodOwner {
  readonly pod: Pod;
  /** The pod as the node has granted it. */
  readonly allocated: Pod;
  readonly state: PodState;
  readonly instances: Instances;
  readonly resizer: Resizer;
  wake(): void;
  refreshAt(time: number): void;
  volumesAtRest(): Promise<void>;
  writeStatus(): Promise<void>;
  stop(): Promise<void>;
}

export class PodJobs {
  readonly #context: AgentContext;
  readonly #owner: PodOwner;
  readonly volumes = new Map<string, Volume>();

  constructor(context: AgentContext, owner: PodOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  begin(action: Action) {
    const { state } = this.#owner;
    state.busy.add(action.key);
    void this.#run(action)
      .catch(async (error) => {
        const { log, event, clock, signal } = this.#context;
        log.warn("a job of a pod failed", { job: action.key, error: messageOf(error) });
        const reason = action.do === "stop" || action.do === "kill" ? "FailedKillPod" : "Failed";
        event(this.#owner.pod, "Warning", reason, messageOf(error));
        // Still busy for a while, so that the next look does not begin it again at once.
        await sleep(clock, firstRetryMs, signal).catch(() => {});
      })
      .finally(() => {
        state.busy.delete(action.key);
        this.#owner.wake();
      });
  }

  async #run(action: Action): Promise<void> {
    switch (action.do) {
      case "volumes":
        return this.#makeVolumes();
      case "sandbox":
        return this.#sandbox(action);
      case "image":
        return this.#image(action.container);
      case "start":
        return this.#start(action);
      case "kill":
        return this.#kill(action);
      case "resize":
        return this.#resize(action);
      case "stop":
        return this.#stop(action);
      case "end":
        return this.#end();
      case "finish":
        return this.#finish();
    }
  }

  #fail(name: string, reason: string, message: string, firstMs?: number) {
    const { trouble } = this.#owner.state;
    const now = this.#context.clock.now();
    trouble.set(name, nextTrouble(trouble.get(name), reason, message, now, firstMs));
  }

  volumesMade(volumes: Map<string, Volume>) {
    for (const [name, volume] of volumes) this.volumes.set(name, volume);
    const times = [...volumes.values()].flatMap(({ refreshAt }) => refreshAt ?? []);
    if (times.length > 0) this.#owner.refreshAt(Math.min(...times));
  }

  /** Names of volumes that have a time to be made again. */
  toRefresh(): Set<string> {
    const due = [...this.volumes].filter(([, { refreshAt }]) => refreshAt !== undefined);
    return new Set(due.map(([name]) => name));
  }

  async #makeVolumes() {
    const { pod, state } = this.#owner;
    try {
      // Here, since an adopted pod passes by as well as a new one.
      await this.#context.objects.follow(pod);
      if (this.#owner.instances.sandbox) await this.#context.cgroups.prepare(this.#owner.allocated);
      await this.#context.devices?.prepare(pod);
      this.volumesMade(await prepareVolumes(this.#context, pod));
      state.volumesReady = true;
      state.trouble.delete(podTrouble.volumes);
    } catch (error) {
      const message = messageOf(error);
      const [reason, text] =
        error instanceof NotPrepared
          ? ["FailedPrepareDynamicResources", `Failed to prepare dynamic resources: ${message}`]
          : ["FailedMount", `MountVolume.SetUp failed: ${message}`];
      this.#context.event(pod, "Warning", reason, text);
      this.#fail(podTrouble.volumes, reason, message, firstRetryMs);
    }
  }

  /** The runtime's name of the pod's RuntimeClass. Throws when there is no such class. */
  #handler(): string {
    const { pod } = this.#owner;
    const found = handlerName(this.#context, pod);
    if (found !== undefined) return found;
    throw new Error(`RuntimeClass.node.k8s.io "${pod.spec["runtimeClassName"]}" not found`);
  }

  #config(attempt: number): SandboxConfig {
    const { dns, cgroups, directories, userNamespaces } = this.#context;
    const { pod } = this.#owner;
    const cgroupParent = cgroups.pathOf(pod);
    const logs = logDirectory(directories, pod);
    const usersFrom = userNamespaces.of(pod.metadata.uid);
    return sandboxConfig(pod, attempt, { dns, cgroupParent, logDirectory: logs, usersFrom });
  }

  /** Gives the pod users of its own, where the handler can keep them apart. */
  async #takeUsers(handler: string) {
    const { runtime, userNamespaces } = this.#context;
    if (!runtime.abilities?.handlers?.get(handler)?.userNamespaces) {
      const whose = handler ? `the handler ${handler} of ` : "";
      throw new Error(
        `hostUsers: false: ${whose}${runtime.version} has no user namespaces for pods`,
      );
    }
    await userNamespaces.take(this.#owner.pod.metadata.uid);
  }

  /** Sets the pod's limits while its sandbox is made: to the cgroup that this brings, where it brings one. */
  async #inCgroup<T>(sandbox: Promise<T>): Promise<T> {
    const { cgroups } = this.#context;
    const { allocated: pod } = this.#owner;
    const [path, made] = await Promise.all([cgroups.prepare(pod), sandbox]);
    if (path !== cgroups.pathOf(pod)) await cgroups.prepare(pod);
    return made;
  }

  async #sandbox({ attempt }: Of<"sandbox">) {
    const { runtime, event } = this.#context;
    const { pod, state } = this.#owner;
    try {
      if (attempt > 0) {
        for (const old of (await runtime.pod(pod.metadata.uid))?.sandboxes ?? []) {
          await runtime.stopSandbox(old.id);
        }
        const message = "Pod sandbox changed, it will be killed and re-created.";
        event(pod, "Normal", "SandboxChanged", message);
      }
      const handler = this.#handler();
      if (pod.spec["hostUsers"] === false) await this.#takeUsers(handler);
      const { imagesFirst } = state;
      const config = { ...this.#config(attempt), handler, imagesAwaited: imagesFirst };
      state.imagesFirst = (await this.#inCgroup(runtime.runSandbox(config))) === undefined;
      if (state.imagesFirst) return;
      this.#context.metrics.podStarted(false);
      state.trouble.delete(podTrouble.sandbox);
    } catch (error) {
      this.#context.metrics.podStarted(true);
      const message = `Failed to create pod sandbox: ${messageOf(error)}`;
      event(pod, "Warning", "FailedCreatePodSandBox", message);
      this.#fail(podTrouble.sandbox, "FailedCreatePodSandBox", message, firstRetryMs);
    }
  }

  async #image(container: Container) {
    const { state, pod } = this.#owner;
    const { name, image } = container;
    try {
      state.images.set(name, await ensureImage(this.#context, pod, container));
      if (/Image/.test(state.trouble.get(name)?.reason ?? "")) state.trouble.delete(name);
    } catch (error) {
      const { reason = "ErrImagePull", message } = error as Error & { reason?: string };
      this.#fail(name, reason, message);
      if (reason !== "ErrImagePull") return;
      this.#context.clock.after(imageErrorMs, () => {
        const trouble = state.trouble.get(name);
        if (trouble?.reason !== "ErrImagePull") return;
        trouble.reason = "ImagePullBackOff";
        trouble.message = `Back-off pulling image "${image}": ErrImagePull: ${message}`;
        this.#context.event(pod, "Normal", "BackOff", `Back-off pulling image "${image}"`);
        this.#owner.wake();
      });
    }
  }

  async #start({ container, attempt }: Of<"start">) {
    const { state, instances, allocated: pod } = this.#owner;
    const { name } = container;
    const { sandbox } = instances;
    const imageId = state.images.get(name);
    if (!sandbox || imageId === undefined) return;
    const before = instances.newest.get(name);
    const sandboxOf = this.#config(sandbox.attempt);
    const { volumes } = this;
    const { metrics } = this.#context;
    const kind = containerTypeOf(pod, name);
    const { targetContainerName = "" } = container;
    const targetId = instances.newest.get(targetContainerName)?.id;
    try {
      await this.#context.gate.admit(pod, sandbox.ips);
      await startContainer(this.#context, {
        pod,
        container,
        attempt,
        imageId,
        sandbox,
        sandboxConfig: sandboxOf,
        volumes,
        targetId,
      });
      metrics.containerStarted(kind);
      state.trouble.delete(name);
    } catch (error) {
      const { reason, message } = error as Error & { reason: string };
      metrics.containerStarted(kind, reason ?? "CreateContainerError");
      this.#fail(name, reason ?? "CreateContainerError", message);
    }
    state.images.delete(name);
    if (hasExited(before)) {
      const now = this.#context.clock.now();
      state.backoffs.set(name, nextBackoff(state.backoffs.get(name), before!.finishedAt, now));
    }
    if (attempt > 1) await this.#collect(name);
  }

  /** Keeps the newest two instances of a container, for logs and `lastState`. */
  async #collect(name: string) {
    const { runtime } = this.#context;
    const { pod } = this.#owner;
    const { containers = [], sandboxes = [] } = (await runtime.pod(pod.metadata.uid)) ?? {};
    const own = containers.filter((one) => one.name === name);
    const old = own.sort((a, b) => b.attempt - a.attempt).slice(2);
    for (const { id, logPath } of old) {
      await runtime.removeContainer(id);
      const files = logPath ? await logFiles(logPath) : [];
      for (const file of files) await rm(file, { force: true });
    }
    const gone = new Set(old.map(({ id }) => id));
    const used = new Set(containers.filter(({ id }) => !gone.has(id)).map((one) => one.sandboxId));
    for (const { id, ready } of sandboxes) {
      if (!ready && !used.has(id)) await runtime.removeSandbox(id);
    }
  }

  async #kill({ container, id, graceMs, why }: Of<"kill">) {
    const { pod, instances } = this.#owner;
    const podIp = instances.sandbox?.ips[0] ?? this.#context.facts.hostIps[0] ?? "127.0.0.1";
    await killContainer(this.#context, { pod, container, id, graceMs, podIp, why });
  }

  async #resize({ containers }: Of<"resize">) {
    const { state, allocated, resizer } = this.#owner;
    try {
      await resizer.apply(allocated, containers);
      state.trouble.delete(podTrouble.resize);
    } catch (error) {
      const message = messageOf(error);
      if (message !== state.resize.error) {
        this.#context.event(this.#owner.pod, "Warning", "ResizeError", message);
      }
      state.resize.error = message;
      this.#fail(podTrouble.resize, "ResizeError", message);
    }
  }

  async #stop({ ids }: Of<"stop">) {
    const { runtime, devices, cgroups, cpus } = this.#context;
    for (const id of ids) await runtime.stopSandbox(id);
    const { pod, instances, state } = this.#owner;
    // One that has ended may stay for long, and holds nothing meanwhile.
    const phase = phaseOf(pod, instances);
    const ended = state.ending !== undefined || phase === "Succeeded" || phase === "Failed";
    if (!ended || pod.metadata.deletionTimestamp) return;
    await devices?.release(pod.metadata.uid);
    await cpus.release(pod.metadata.uid);
    await cgroups.remove(pod);
    await this.#owner.volumesAtRest();
    await removePodVolumes(this.#context, pod.metadata.uid);
  }

  async #end() {
    const { pod, state } = this.#owner;
    const message = "Pod was active on the node longer than the specified deadline";
    this.#context.event(pod, "Normal", "DeadlineExceeded", message);
    state.ending = { reason: "DeadlineExceeded", message };
  }

  async #finish() {
    const { client, runtime, directories, cgroups, devices, cpus } = this.#context;
    const owner = this.#owner;
    const { uid, namespace, name } = owner.pod.metadata;
    // Before the pod goes: whoever takes its place may need them.
    await devices?.release(uid);
    await cpus.release(uid);
    // A volume that moves with its claim is let go before somebody elsewhere may have it.
    if (usesClaims(owner.pod)) {
      await owner.volumesAtRest();
      await removePodVolumes(this.#context, uid);
    }
    await owner.writeStatus();
    if (!owner.state.gone && !isStatic(owner.pod)) {
      const options = { gracePeriodSeconds: 0, preconditions: { uid } };
      try {
        await client.delete({ ...pods, namespace, name }, options);
      } catch (error) {
        // Another pod of this name, or none: this one is gone.
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      }
    }
    for (const { id } of (await runtime.pod(uid))?.sandboxes ?? []) await runtime.removeSandbox(id);
    await cgroups.remove(owner.pod);
    await owner.volumesAtRest();
    await removePodFiles(this.#context, uid);
    await rm(logDirectory(directories, owner.pod), { recursive: true, force: true });
    owner.state.finished = true;
    await owner.stop();
  }
}
