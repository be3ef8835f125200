// The containerd runtime: `Runtime` of node/runtime.ts over CRI v1.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { sleep, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Streams } from "../lib/node-connection.ts";
import type {
  ContainerConfig,
  ImageConfig,
  ImageStatus,
  PullAuth,
  Runtime,
  RuntimeAbilities,
  Resources,
  RuntimePod,
  SandboxConfig,
  Stats,
} from "../node/runtime.ts";
import { withAddresses } from "./address-plugin.ts";
import { attachToContainer } from "./attach.ts";
import { socketOf } from "./socket.ts";
import { containerMessage, labelNames, linuxResources, sandboxMessage } from "./cri-config.ts";
import cri from "./data/cri.json" with { type: "json" };
import { execInContainer } from "./exec.ts";
import type { ExecServices } from "./exec.ts";
import { GrpcConnection, isGrpc } from "../lib/grpc.ts";
import type { GrpcService, Message } from "../lib/grpc.ts";
import { ImageViews } from "./image-views.ts";
import { fullReference } from "./images.ts";
import { busyNamespace, freeNamespace } from "./network-namespace.ts";
import { OrphanShims } from "./orphan-shims.ts";
import { dialInNamespace } from "./port-forward.ts";
import {
  abilitiesOf,
  containerOf,
  groupByPod,
  imageConfigOf,
  imageOf,
  sandboxOf,
} from "./runtime-status.ts";
import { signalNumber } from "./signal-number.ts";
import { followEvents } from "./task-events.ts";
import type { TaskEvent } from "./task-events.ts";
import { containerTypes, taskMethods, taskTypes } from "./tasks-protocol.ts";

const inKubernetes = { "containerd-namespace": "k8s.io" };

/** Filters of CRI. */
const runningState = { state: "CONTAINER_RUNNING" };
const readyState = { state: "SANDBOX_READY" };
const exitSeenMsMax = 5000;

const absent = (error: unknown) => {
  if (!isGrpc(error, "NOT_FOUND")) throw error;
};

interface Connected {
  directory: string;
  connection: GrpcConnection;
  version: string;
  abilities: RuntimeAbilities;
  log: Log;
}

function hasMemoryOfV2(): boolean {
  try {
    return /\bmemory\b/.test(readFileSync("/sys/fs/cgroup/cgroup.controllers", "utf8"));
  } catch {
    return false;
  }
}

export class ContainerdRuntime implements Runtime {
  readonly version: string;
  readonly abilities: RuntimeAbilities;
  readonly #directory: string;
  readonly #connection: GrpcConnection;
  readonly #runtime: GrpcService;
  readonly #images: GrpcService;
  readonly #views: ImageViews;
  readonly #exec: ExecServices;
  readonly #events: AbortController;
  readonly #shims: OrphanShims;
  readonly #canEndAsOne = hasMemoryOfV2();
  readonly #listeners = new Set<(podUid: string) => void>();
  /** Container and sandbox ids to pod uids, so that an event can name its pod. */
  readonly #podOf = new Map<string, string>();

  constructor({ directory, connection, version, abilities, log }: Connected) {
    this.version = `containerd://${version}`;
    this.abilities = abilities;
    this.#connection = connection;
    this.#directory = directory;
    this.#runtime = connection.service("/runtime.v1.RuntimeService", cri as Message);
    this.#images = connection.service("/runtime.v1.ImageService", cri as Message);
    this.#views = new ImageViews(connection, this.#images);
    const containers = "/containerd.services.containers.v1.Containers";
    this.#exec = {
      tasks: connection.service(
        "/containerd.services.tasks.v1.Tasks",
        taskTypes,
        taskMethods,
        inKubernetes,
      ),
      containers: connection.service(
        containers,
        containerTypes,
        { Get: ["GetContainerRequest", "GetContainerResponse"] },
        inKubernetes,
      ),
      directory: join(directory, "state/exec"),
      newId: randomUUID,
    };
    this.#shims = new OrphanShims(directory);
    this.#events = new AbortController();
    void followEvents(connection, log, this.#events.signal, (event) => {
      void this.#changed(event).catch(() => {});
    });
  }

  async #changed({ id, exited }: TaskEvent) {
    const podUid = this.#podOf.get(id);
    if (podUid === undefined) return;
    if (exited) await this.#untilSeenToExit(id);
    for (const listener of this.#listeners) listener(podUid);
  }

  /** CRI hears of an exit as we do, and may answer from before it for a while. */
  async #untilSeenToExit(id: string) {
    for (let delayMs = 2; delayMs < exitSeenMsMax; delayMs *= 2) {
      const [{ containers }, { items }] = await Promise.all([
        this.#runtime.call("ListContainers", { filter: { id, state: runningState } }),
        this.#runtime.call("ListPodSandbox", { filter: { id, state: readyState } }),
      ]);
      if (containers.length === 0 && items.length === 0) return;
      await sleep(systemClock, delayMs, this.#events.signal);
    }
  }

  async runSandbox(config: SandboxConfig): Promise<string> {
    const request = { config: sandboxMessage(config), runtime_handler: config.handler };
    const { pod_sandbox_id: id } = await withAddresses(this.#directory, config, () =>
      this.#runtime.call("RunPodSandbox", request),
    );
    this.#podOf.set(id, config.podUid);
    return id;
  }

  async stopSandbox(id: string) {
    await this.#ofSandbox("StopPodSandbox", { pod_sandbox_id: id }).catch(absent);
  }

  /** A call that may find the sandbox's network namespace hidden. */
  async #ofSandbox(method: string, request: Message): Promise<any> {
    try {
      return await this.#runtime.call(method, request);
    } catch (error) {
      const hidden = busyNamespace((error as Error).message);
      if (!hidden) throw error;
      await freeNamespace(hidden);
      return this.#runtime.call(method, request);
    }
  }

  async removeSandbox(id: string) {
    await this.#runtime.call("RemovePodSandbox", { pod_sandbox_id: id }).catch(absent);
    this.#podOf.delete(id);
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig) {
    const { container_id: id } = await this.#runtime.call("CreateContainer", {
      pod_sandbox_id: sandboxId,
      config: containerMessage(config, sandbox, { canEndAsOne: this.#canEndAsOne }),
      sandbox_config: sandboxMessage(sandbox),
    });
    this.#podOf.set(id, sandbox.podUid);
    return id as string;
  }

  async startContainer(id: string) {
    await this.#runtime.call("StartContainer", { container_id: id });
  }

  async stopContainer(id: string, graceMs: number, signal?: string) {
    // containerd knows no signal but the image's before 2.1: ours goes first, and has the grace.
    const ended = signal ? await this.#signalled(id, graceMs, signalNumber(signal)) : false;
    const timeout = signal ? 0 : Math.ceil(graceMs / 1000);
    if (ended) return;
    await this.#runtime.call("StopContainer", { container_id: id, timeout }).catch(absent);
  }

  /** True when the container ended within the grace. */
  async #signalled(container_id: string, graceMs: number, signal: number): Promise<boolean> {
    const { tasks } = this.#exec;
    try {
      await tasks.call("Kill", { container_id, signal });
      await tasks.call("Wait", { container_id }, { timeoutMs: graceMs });
      return true;
    } catch (error) {
      return isGrpc(error, "NOT_FOUND");
    }
  }

  async updateContainer(id: string, resources: Resources) {
    await this.#runtime.call("UpdateContainerResources", {
      container_id: id,
      linux: linuxResources(resources),
    });
  }

  async removeContainer(id: string) {
    await this.#runtime.call("RemoveContainer", { container_id: id }).catch(absent);
    this.#podOf.delete(id);
  }

  async pods(): Promise<Map<string, RuntimePod>> {
    const [{ items }, { containers }] = await Promise.all([
      this.#runtime.call("ListPodSandbox", {}),
      this.#runtime.call("ListContainers", {}),
    ]);
    const pods = groupByPod(items, containers);
    for (const [uid, pod] of pods) {
      for (const { id } of [...pod.sandboxes, ...pod.containers]) this.#podOf.set(id, uid);
    }
    return pods;
  }

  async pod(podUid: string): Promise<RuntimePod | undefined> {
    const label_selector = { [labelNames.podUid]: podUid };
    const [listed, { containers }] = await Promise.all([
      this.#runtime.call("ListPodSandbox", { filter: { label_selector } }),
      this.#runtime.call("ListContainers", { filter: { label_selector } }),
    ]);
    // Containers carry their pod's uid as a label since Kerb put it there.
    if (listed.items.length === 0 && containers.length === 0) return undefined;
    const detail = <T>(calls: Promise<T | undefined>[]) =>
      Promise.all(calls).then(
        (all) => all.filter((one): one is Awaited<T> => one !== undefined) as T[],
      );
    const sandboxes = detail(
      listed.items.map(({ id }: Message) =>
        this.#ofSandbox("PodSandboxStatus", { pod_sandbox_id: id })
          .then(({ status }) => sandboxOf(status))
          .catch(absent),
      ),
    );
    const details = detail(
      containers.map(({ id, pod_sandbox_id }: Message) =>
        this.#runtime
          .call("ContainerStatus", { container_id: id })
          .then(({ status }) => containerOf(status, pod_sandbox_id))
          .catch(absent),
      ),
    );
    return {
      sandboxes: (await sandboxes) as RuntimePod["sandboxes"],
      containers: (await details) as RuntimePod["containers"],
    };
  }

  onChange(listener: (podUid: string) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async imageStatus(ref: string): Promise<ImageStatus | undefined> {
    const { image } = await this.#images.call("ImageStatus", {
      image: { image: fullReference(ref) },
    });
    return image?.id ? imageOf(image) : undefined;
  }

  async imageConfig(ref: string): Promise<ImageConfig | undefined> {
    const request = { image: { image: fullReference(ref) }, verbose: true };
    const { image, info } = await this.#images.call("ImageStatus", request);
    return image?.id && info?.info ? imageConfigOf(image, JSON.parse(info.info)) : undefined;
  }

  async pullImage(ref: string, auth?: PullAuth): Promise<string> {
    const request = { image: { image: fullReference(ref) }, ...(auth && { auth }) };
    const { image_ref } = await this.#images.call("PullImage", request);
    return image_ref;
  }

  async listImages(): Promise<ImageStatus[]> {
    const { images } = await this.#images.call("ListImages", {});
    return images.map(imageOf);
  }

  async removeImage(ref: string) {
    await this.#images.call("RemoveImage", { image: { image: fullReference(ref) } });
  }

  viewOf(key: string) {
    return this.#views.find(key);
  }

  viewImage(key: string, ref: string) {
    return this.#views.make(key, fullReference(ref));
  }

  dropView(key: string) {
    return this.#views.drop(key);
  }

  async execSync(id: string, command: string[], timeoutMs: number) {
    const timeout = Math.ceil(timeoutMs / 1000);
    const answer = await this.#runtime.call("ExecSync", {
      container_id: id,
      cmd: command,
      timeout,
    });
    return { exitCode: answer.exit_code, stdout: answer.stdout, stderr: answer.stderr };
  }

  exec(id: string, command: string[], tty: boolean, streams: Streams): Promise<number> {
    return execInContainer(this.#exec, id, { command, tty }, streams);
  }

  async attach(id: string, tty: boolean, streams: Streams): Promise<void> {
    await attachToContainer(this.#runtime, id, tty, streams);
  }

  async portForward(sandboxId: string, port: number): Promise<Duplex> {
    const request = { pod_sandbox_id: sandboxId, verbose: true };
    const { info } = await this.#runtime.call("PodSandboxStatus", request);
    return dialInNamespace(JSON.parse(info.info).pid, port);
  }

  async endOrphans() {
    const { items } = await this.#runtime.call("ListPodSandbox", {});
    return this.#shims.end(new Set(items.map(({ id }: Message) => id)));
  }

  async reopenLog(id: string) {
    await this.#runtime.call("ReopenContainerLog", { container_id: id });
  }

  async stats(): Promise<Stats[]> {
    const { stats } = await this.#runtime.call("ListContainerStats", {});
    return stats.map((one: Message) => ({
      containerId: one["attributes"].id,
      cpuNanoseconds: one["cpu"]?.usage_core_nano_seconds?.value ?? 0,
      memoryBytes: one["memory"]?.usage_bytes?.value ?? 0,
      workingSetBytes: one["memory"]?.working_set_bytes?.value ?? 0,
      rssBytes: one["memory"]?.rss_bytes?.value ?? 0,
      writtenBytes: one["writable_layer"]?.used_bytes?.value ?? 0,
      writtenInodes: one["writable_layer"]?.inodes_used?.value ?? 0,
    }));
  }

  close() {
    this.#events.abort();
    this.#connection.close();
    return Promise.resolve();
  }
}

/** containerd answers a moment before its CRI part is ready. */
const readyMsMax = 60_000;
const retryMs = 5;

/** Connects to the containerd that runs in `directory`. */
export async function connectContainerd(directory: string, log: Log): Promise<ContainerdRuntime> {
  const connection = new GrpcConnection(`unix://${socketOf(directory)}`);
  const cri1 = connection.service("/runtime.v1.RuntimeService", cri as Message);
  const giveUpAt = systemClock.monotonic() + readyMsMax;
  for (;;) {
    try {
      const { runtime_version } = await cri1.call("Version", { version: "v1" });
      // Unlike Version, this is refused until CRI is ready.
      await cri1.call("ListPodSandbox", { filter: { id: "none" } });
      const abilities = abilitiesOf(await cri1.call("Status", {}));
      const version = runtime_version as string;
      return new ContainerdRuntime({ directory, connection, version, abilities, log });
    } catch (error) {
      if (!isGrpc(error, "UNKNOWN", "UNAVAILABLE") || systemClock.monotonic() > giveUpAt) {
        connection.close();
        throw error;
      }
      await sleep(systemClock, retryMs);
    }
  }
}
