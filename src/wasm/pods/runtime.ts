// Pods of nothing but modules, and those that fill disks, without containerd: `Runtime` of node/runtime.ts for those that
// suit it. A container is a process that waited for its program; what is known of it lies on the disk, so it does not
// notice Kerb's end.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Streams } from "../../lib/node-connection.ts";
import type { ProcessPlan, ProcessPrograms, RunnerKind } from "../../node/process-programs.ts";
import type {
  ContainerCgroups,
  ContainerConfig,
  Resources,
  RuntimePod,
  SandboxConfig,
  Stats,
} from "../../node/runtime.ts";
import { memoryStays, runnerMemoryBytes } from "../bundle.ts";
import { openLog, showFiles } from "./container-files.ts";
import { Containers } from "./containers.ts";
import { followLog } from "./follow-log.ts";
import type { Kernel } from "./kernel.ts";
import type { Networks } from "./networks.ts";
import type { Places } from "./places.ts";
import { processesOf } from "./processes.ts";
import { podsOf, runnerCgroup } from "./records.ts";
import type { ContainerRecord, RunnerRecord, SandboxRecord } from "./records.ts";
import type { Runners } from "./runners.ts";
import { sameKind } from "./pool.ts";
import { Sandboxes } from "./sandboxes.ts";

export interface ProcessPodsOptions {
  places: Places;
  kernel: Kernel;
  runners: Runners;
  /** Those that a pod's handler means. */
  programsOf: (handler: string) => ProcessPrograms;
  /** Images that are there still. */
  imagesAre: (ids: string[]) => void;
  networks: Networks;
  cgroups: ContainerCgroups;
  /** Of the machine's present life. */
  boot: string;
  newId: () => string;
  clock: Clock;
  /** Of a signal's name; 15 for what nobody knows. */
  signalNumber: (name: string) => number;
}

const noPrograms = "exec is not supported in WebAssembly containers: there are no programs in them";
const noOthers =
  "exec is not supported in containers that fill disks: there are no programs in them";
const sigterm = 15;
const ownOf = ({ ownMemoryBytes = runnerMemoryBytes }: ContainerRecord) => ownMemoryBytes;

export class ProcessPods {
  readonly #options: ProcessPodsOptions;
  readonly #sandboxes: Sandboxes;
  readonly #containers: Containers;
  readonly #listeners = new Set<(podUid: string) => void>();
  /** What containers that were made are to run. */
  readonly #programs = new Map<string, object>();

  constructor(options: ProcessPodsOptions) {
    this.#options = options;
    this.#sandboxes = new Sandboxes(options);
    this.#containers = new Containers({
      ...options,
      changed: ({ sandboxId }) => this.#tell(this.#sandboxes.get(sandboxId)),
    });
    for (const record of this.#sandboxes.taken()) {
      if (record.spare && this.#containers.get(record.spare.id)) record.spare = undefined;
    }
  }

  has(id: string): boolean {
    return this.#sandboxes.get(id)?.pod !== undefined || this.#containers.get(id) !== undefined;
  }

  #tell(record: SandboxRecord | undefined) {
    if (record?.pod) for (const listener of this.#listeners) listener(record.pod.podUid);
  }

  /**
   * Undefined where the pod is better run by another runtime. What pods like it were lately it is most likely too: it
   * is begun while the images are asked.
   */
  async runSandbox(config: SandboxConfig): Promise<string | undefined> {
    const programs = this.#suiting(config);
    if (!programs) return undefined;
    const likely = programs.likelyKind(config);
    const asking = programs.kind(config);
    const begun = likely && (await this.#begin(config, likely).catch(() => undefined));
    const kind = await asking;
    if (begun && kind && sameKind(kind, likely)) return begun;
    if (begun) await this.removeSandbox(begun);
    return kind && this.#begin(config, kind);
  }

  async wantsImages(config: SandboxConfig): Promise<boolean> {
    return this.#suiting(config)?.lackImages(config) ?? false;
  }

  #suiting(config: SandboxConfig): ProcessPrograms | undefined {
    const programs = this.#options.programsOf(config.handler);
    return programs.suits(config) ? programs : undefined;
  }

  async #begin(config: SandboxConfig, kind: RunnerKind): Promise<string> {
    const record = await this.#sandboxes.take(config, kind);
    await this.#sandboxes.keep(record);
    return record.id;
  }

  #sandbox(id: string): SandboxRecord {
    const record = this.#sandboxes.get(id);
    if (record?.ready && record.pod) return record;
    throw new Error(`there is no sandbox ${id}`);
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
  ): Promise<string> {
    const record = this.#sandbox(sandboxId);
    const programs = this.#options.programsOf(record.pod!.handler ?? "");
    const plan = await programs.plan(config, sandbox);
    const { kind } = plan;
    const { runners, places, kernel } = this.#options;
    const spare = this.#sandboxes.takeSpare(record, kind);
    const runner =
      spare ?? (await runners.start(kind, record, await runners.reserve(record.cgroup)));
    const logPath = join(sandbox.logDirectory, config.logPath);
    const container = this.#planned(record, { runner, config, logPath, plan });
    // One that waited is written down already, as the sandbox's.
    if (!spare) this.#containers.save(container);
    const shown = { id: runner.id, uid: kind.uid, logPath };
    const show = async () => {
      container.mounts = showFiles({ places, kernel }, shown, { plan, config, sandbox });
      this.#containers.save(container);
    };
    try {
      await Promise.all([this.#limit(container, config.resources), show()]);
    } catch (error) {
      await this.#containers.remove(container);
      throw error;
    }
    this.#programs.set(runner.id, plan.program);
    return runner.id;
  }

  #planned(
    record: SandboxRecord,
    {
      runner,
      config,
      plan,
      logPath,
    }: { runner: RunnerRecord; config: ContainerConfig; plan: ProcessPlan; logPath: string },
  ): ContainerRecord {
    const { imageName, memoryBytes, ownMemoryBytes } = plan;
    const { name, attempt, imageRef, image, labels, annotations } = config;
    return {
      sandboxId: record.id,
      runner,
      name,
      attempt,
      createdAt: this.#options.clock.now(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      reason: "",
      image: imageRef,
      imageId: image,
      labels,
      annotations,
      ...{ logPath, imageName, memoryBytes, ownMemoryBytes },
      cgroup: runnerCgroup(record, runner),
      mounts: [],
    };
  }

  /** What a module may have is kept by V8; the cgroup stands behind that. */
  async #limit(record: ContainerRecord, resources: Resources) {
    const { cgroup, runner } = record;
    const { memoryBytes = 0, oomScoreAdj } = resources;
    const { memoryBytes: _, ...rest } = resources;
    await this.#options.cgroups.limit(cgroup, {
      ...rest,
      ...(memoryBytes > 0 && { memoryBytes: memoryBytes + ownOf(record) }),
    });
    if (oomScoreAdj === undefined) return;
    // Not everybody may lower it.
    const write = (pid: number) =>
      writeFile(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj)).catch(() => {});
    await Promise.all(processesOf(runner).map(write));
  }

  #container(id: string): ContainerRecord {
    const record = this.#containers.get(id);
    if (record) return record;
    throw new Error(`there is no container ${id}`);
  }

  async startContainer(id: string) {
    const record = this.#container(id);
    const program = this.#programs.get(id);
    if (!program) throw new Error(`the container ${id} was started already`);
    this.#programs.delete(id);
    record.startedAt = this.#options.clock.now();
    this.#options.runners.tell(id, program);
    if (record.finishedAt === 0) this.#containers.save(record);
  }

  async stopContainer(id: string, graceMs: number, signal?: string) {
    const record = this.#containers.get(id);
    const { signalNumber } = this.#options;
    if (record)
      await this.#containers.stop(record, graceMs, signal ? signalNumber(signal) : sigterm);
  }

  async updateContainer(id: string, resources: Resources) {
    const record = this.#container(id);
    const { memoryBytes = record.memoryBytes } = resources;
    const isKept = ownOf(record) > 0;
    if (isKept && memoryBytes !== record.memoryBytes) throw new Error(memoryStays);
    await this.#limit(record, { ...resources, ...(memoryBytes && { memoryBytes }) });
  }

  async removeContainer(id: string) {
    const record = this.#containers.get(id);
    if (!record) return;
    this.#programs.delete(id);
    await this.#containers.remove(record);
  }

  async stopSandbox(id: string) {
    const record = this.#sandboxes.get(id);
    if (!record) return;
    await Promise.all(
      this.#containers.of(id).map((one) => this.#containers.stop(one, 0, "SIGKILL")),
    );
    await this.#sandboxes.stop(record);
    this.#tell(record);
  }

  async removeSandbox(id: string) {
    const record = this.#sandboxes.get(id);
    if (!record) return;
    if (record.ready) await this.stopSandbox(id);
    await Promise.all(this.#containers.of(id).map((one) => this.#containers.remove(one)));
    await this.#sandboxes.remove(record);
  }

  pods(): Map<string, RuntimePod> {
    return podsOf(this.#sandboxes.taken(), this.#containers.all());
  }

  pod(podUid: string): RuntimePod | undefined {
    const own = this.#sandboxes.taken().filter(({ pod }) => pod!.podUid === podUid);
    // As containerd has it: in detail by the name that the registry gave, and in lists by the id.
    const containers = own
      .flatMap(({ id }) => this.#containers.of(id))
      .map((one) => ({ ...one, imageId: one.imageName }));
    return podsOf(own, containers).get(podUid);
  }

  /** A pod has the cgroup of its newest sandbox. */
  cgroupOf(podUid: string): string | undefined {
    return this.#sandboxes.taken().findLast(({ pod }) => pod!.podUid === podUid)?.cgroup;
  }

  onChange(listener: (podUid: string) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async execSync(id: string): Promise<never> {
    throw new Error(this.#container(id).runner.kind.program ? noOthers : noPrograms);
  }

  exec(id: string): Promise<never> {
    return this.execSync(id);
  }

  async attach(id: string, _tty: boolean, streams: Streams) {
    const record = this.#container(id);
    const isRunning = () => record.finishedAt === 0;
    await followLog(record.logPath, { streams, isRunning, clock: this.#options.clock });
  }

  portForward(sandboxId: string, port: number) {
    return this.#options.networks.dial(this.#sandbox(sandboxId).netns, port);
  }

  async reopenLog(id: string) {
    const { runner, logPath } = this.#container(id);
    openLog(this.#options, { id, uid: runner.kind.uid, logPath });
  }

  async stats(): Promise<Stats[]> {
    const running = [...this.#containers.all()].filter(
      ({ startedAt, finishedAt }) => startedAt > 0 && finishedAt === 0,
    );
    return Promise.all(
      running.map(async ({ runner, cgroup }) => {
        const usage = await this.#options.cgroups.usage(cgroup);
        return { containerId: runner.id, ...usage };
      }),
    );
  }

  /** Images that are there still. */
  imagesAre(ids: string[]) {
    this.#options.imagesAre(ids);
  }

  async close() {
    await this.#sandboxes.close();
    this.#containers.close();
  }
}
