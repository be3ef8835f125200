// A runtime without containers, for tests and simulated fleets: everything starts at once, and a script
// says when and how each container ends.
import { join } from "node:path";
import { PassThrough } from "node:stream";
import type { Duplex } from "node:stream";
import type { Clock } from "../lib/clock.ts";
import type { Streams } from "../lib/node-connection.ts";
import type {
  ContainerConfig,
  ContainerStatus,
  ImageStatus,
  Resources,
  Runtime,
  RuntimeAbilities,
  RuntimePod,
  SandboxConfig,
  SandboxStatus,
  Stats,
} from "./runtime.ts";

export interface FakeExit {
  afterMs: number;
  exitCode: number;
}

export interface FakeRuntimeOptions {
  clock: Clock;
  /** How a container ends; undefined: it runs until it is stopped. */
  script?: (config: ContainerConfig, sandbox: SandboxConfig) => FakeExit | undefined;
  abilities?: RuntimeAbilities;
  /** Images that are there from the start. */
  images?: string[];
  /** Images that can be pulled; absent: all. */
  pullable?: (ref: string) => boolean;
  /** Answer of exec, by command. */
  exec?: (containerName: string, command: string[]) => { exitCode: number; stdout?: string };
}

export class FakeRuntime implements Runtime {
  readonly version = "fake://1";
  readonly abilities: RuntimeAbilities;
  /** Every call that changed something, in order: `start web`. */
  readonly calls: string[] = [];
  readonly containers = new Map<string, ContainerStatus>();
  readonly sandboxes = new Map<string, SandboxStatus>();
  readonly views = new Set<string>();
  readonly configs = new Map<string, ContainerConfig>();
  readonly #options: FakeRuntimeOptions;
  readonly #sandboxConfigs = new Map<string, SandboxConfig>();
  readonly #listeners = new Set<(podUid: string) => void>();
  readonly #images: Set<string>;
  #ids = 0;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
    this.abilities = options.abilities ?? { strictGroups: false };
    this.#images = new Set(options.images ?? []);
  }

  /** Of all sandboxes that were made. */
  sandboxConfigs() {
    return [...this.#sandboxConfigs.values()];
  }

  /** Of the sandboxes there are. */
  handlers() {
    return this.sandboxConfigs().map(({ handler }) => handler);
  }

  async runSandbox(config: SandboxConfig) {
    const id = `sandbox-${++this.#ids}`;
    const { podUid, namespace, name, attempt, labels, annotations } = config;
    this.calls.push(`sandbox ${name}`);
    this.#sandboxConfigs.set(id, config);
    this.sandboxes.set(id, {
      id,
      podUid,
      namespace,
      name,
      attempt,
      ready: true,
      createdAt: this.#options.clock.now(),
      ips: config.hostNetwork ? [] : [`10.244.${(this.#ids >> 8) & 255}.${this.#ids & 255}`],
      labels,
      annotations,
    });
    this.#changed(podUid);
    return id;
  }

  async stopSandbox(id: string) {
    const sandbox = this.sandboxes.get(id);
    if (!sandbox?.ready) return;
    this.calls.push(`stop ${sandbox.name}`);
    for (const one of this.containers.values()) {
      if (one.sandboxId === id) this.exit(one.id, 137);
    }
    sandbox.ready = false;
    this.#changed(sandbox.podUid);
  }

  async removeSandbox(id: string) {
    await this.stopSandbox(id);
    for (const one of this.containers.values()) {
      if (one.sandboxId === id) this.containers.delete(one.id);
    }
    this.sandboxes.delete(id);
  }

  async createContainer(sandboxId: string, config: ContainerConfig) {
    const id = `container-${++this.#ids}`;
    this.configs.set(id, config);
    this.containers.set(id, {
      id,
      sandboxId,
      name: config.name,
      attempt: config.attempt,
      state: "created",
      createdAt: this.#options.clock.now(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: "",
      message: "",
      image: config.imageRef,
      imageId: config.image,
      labels: config.labels,
      annotations: config.annotations,
      logPath: join(this.#sandboxConfigs.get(sandboxId)!.logDirectory, config.logPath),
    });
    return id;
  }

  async startContainer(id: string) {
    const { clock, script } = this.#options;
    const container = this.containers.get(id)!;
    const config = this.configs.get(id)!;
    this.calls.push(`start ${container.name}`);
    container.state = "running";
    container.startedAt = clock.now();
    const exit = script?.(config, this.#sandboxConfigs.get(container.sandboxId)!);
    if (exit) clock.after(exit.afterMs, () => this.exit(id, exit.exitCode));
  }

  /** Ends a container, as if its process had. */
  exit(id: string, exitCode: number) {
    const container = this.containers.get(id);
    if (container?.state !== "running") return;
    container.state = "exited";
    container.exitCode = exitCode;
    container.reason = exitCode === 0 ? "Completed" : "Error";
    container.finishedAt = this.#options.clock.now();
    this.#changed(this.sandboxes.get(container.sandboxId)!.podUid);
  }

  async stopContainer(id: string) {
    const name = this.containers.get(id)?.name;
    if (name) this.calls.push(`kill ${name}`);
    this.exit(id, 143);
  }

  async updateContainer(id: string, { memoryBytes = 0, cpuQuota = 0 }: Resources) {
    this.calls.push(`update ${this.containers.get(id)?.name} ${memoryBytes} ${cpuQuota}`);
  }

  async removeContainer(id: string) {
    this.containers.delete(id);
  }

  async pods() {
    const uids = new Set([...this.sandboxes.values()].map(({ podUid }) => podUid));
    const pods = new Map<string, RuntimePod>();
    for (const uid of uids) pods.set(uid, (await this.pod(uid))!);
    return pods;
  }

  async pod(podUid: string): Promise<RuntimePod | undefined> {
    const sandboxes = [...this.sandboxes.values()].filter((one) => one.podUid === podUid);
    if (sandboxes.length === 0) return undefined;
    const ids = new Set(sandboxes.map(({ id }) => id));
    const containers = [...this.containers.values()].filter(({ sandboxId }) => ids.has(sandboxId));
    return structuredClone({ sandboxes, containers });
  }

  onChange(listener: (podUid: string) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(podUid: string) {
    for (const listener of this.#listeners) listener(podUid);
  }

  async imageStatus(ref: string): Promise<ImageStatus | undefined> {
    if (!this.#images.has(ref)) return undefined;
    return { id: `sha256:${ref}`, tags: [ref], digests: [], sizeBytes: 1 };
  }

  async pullImage(ref: string) {
    if (this.#options.pullable?.(ref) === false) throw new Error(`${ref}: not found`);
    this.calls.push(`pull ${ref}`);
    this.#images.add(ref);
    return `sha256:${ref}`;
  }

  async listImages() {
    return Promise.all([...this.#images].map(async (ref) => (await this.imageStatus(ref))!));
  }

  async removeImage(ref: string) {
    this.#images.delete(ref);
  }

  async viewOf(key: string) {
    return this.views.has(key) ? { type: "none", source: key, options: [] } : undefined;
  }

  async viewImage(key: string) {
    this.views.add(key);
    return { type: "none", source: key, options: [] };
  }

  async dropView(key: string) {
    this.views.delete(key);
  }

  async execSync(id: string, command: string[]) {
    const name = this.containers.get(id)?.name ?? "";
    const { exitCode, stdout = "" } = this.#options.exec?.(name, command) ?? { exitCode: 0 };
    return { exitCode, stdout: Buffer.from(stdout), stderr: new Uint8Array() };
  }

  async exec(id: string, command: string[], _tty: boolean, streams: Streams) {
    const { exitCode, stdout } = await this.execSync(id, command);
    await streams.stdout(stdout);
    return exitCode;
  }

  async attach() {}

  async portForward(): Promise<Duplex> {
    return new PassThrough();
  }

  async reopenLog() {}

  async stats(): Promise<Stats[]> {
    return [];
  }

  async close() {}
}
