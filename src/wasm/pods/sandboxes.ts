// Sandboxes of pods that are processes: a network each, and in it a runner that waits for the first container. What is made is
// written down at once, so that it is given back whatever happens in between.
import { dirname } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { ContainerCgroups, SandboxConfig } from "../../node/runtime.ts";
import { handlers } from "../handlers.ts";
import type { Networks } from "./networks.ts";
import type { Places } from "./places.ts";
import { Pool, sameKind } from "./pool.ts";
import { isAlive, killRunner } from "./processes.ts";
import { runnerCgroup } from "./records.ts";
import type { SandboxRecord } from "./records.ts";
import type { RunnerKind } from "../../node/process-programs.ts";
import type { Runners } from "./runners.ts";
import { isSlot, slotIn } from "./slots.ts";
import { nobody } from "./suits.ts";

export interface SandboxesOptions {
  places: Places;
  runners: Runners;
  networks: Networks;
  cgroups: ContainerCgroups;
  clock: Clock;
  newId: () => string;
  /** Of the machine's present life. */
  boot: string;
}

/** What most pods are. */
const commonKind: RunnerKind = { uid: nobody, gid: nobody, groups: [], network: false };

export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #all = new Map<string, SandboxRecord>();
  readonly #pool: Pool;
  readonly #dropping: Promise<unknown>;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    const { places, clock } = options;
    for (const record of places.read<SandboxRecord>("sandboxes")) {
      this.#all.set(record.id, record);
      if (record.boot !== options.boot) record.ready = false;
    }
    this.#pool = new Pool({
      make: ({ kind, above }) => {
        const id = options.newId();
        return this.#make(kind, { id, cgroup: slotIn(above, id), podUid: "" });
      },
      drop: (prepared) => this.#drop(prepared),
      isAlive: ({ spare }) => spare !== undefined && isAlive(spare),
      clock,
    });
    // Nobody waits for what an earlier Kerb had ready.
    const left = [...this.#all.values()].filter(({ pod }) => !pod);
    this.#dropping = Promise.all(left.map((record) => this.#drop(record).catch(() => {})));
    const isOfModules = ({ pod }: SandboxRecord) => handlers.includes(pod!.handler ?? "wasm");
    const last = this.taken().findLast(isOfModules);
    if (last) this.#pool.wish({ kind: commonKind, above: dirname(last.cgroup) });
  }

  get(id: string): SandboxRecord | undefined {
    return this.#all.get(id);
  }

  /** Those that are a pod's. */
  taken(): SandboxRecord[] {
    return [...this.#all.values()].filter(({ pod }) => pod);
  }

  #save(record: SandboxRecord) {
    this.#options.places.write("sandboxes", record.id, record);
  }

  /** What was taken, for its pod. */
  keep(record: SandboxRecord): Promise<void> {
    return this.#options.places.replace("sandboxes", record.id, record);
  }

  async #make(
    kind: RunnerKind,
    { id, cgroup, ...pod }: { id: string; cgroup: string; podUid: string; addresses?: string[] },
  ): Promise<SandboxRecord> {
    const { networks, runners, boot } = this.#options;
    const record: SandboxRecord = { id, boot, netns: "", ips: [], cgroup, ready: false };
    this.#all.set(id, record);
    this.#save(record);
    const reserving = runners.reserve(cgroup);
    // Whoever waits for it below is told.
    reserving.catch(() => {});
    try {
      record.netns = await networks.make(id);
      // It starts while its network gets its addresses.
      record.spare = await runners.start(kind, record, await reserving);
      this.#save(record);
      record.ips = await networks.connect(id, pod);
      return record;
    } catch (error) {
      if (!record.spare)
        await reserving.then((one) => runners.release(cgroup, one)).catch(() => {});
      await this.#drop(record).catch(() => {});
      throw error;
    }
  }

  async #drop(record: SandboxRecord) {
    await this.#leave(record);
    await this.remove(record);
  }

  /** Ends the runner that waits, and gives the network back. */
  async #leave(record: SandboxRecord) {
    const { networks, cgroups } = this.#options;
    const { spare } = record;
    this.endSpare(record);
    await networks.remove(record.id);
    if (spare) await cgroups.remove(runnerCgroup(record, spare));
  }

  /** For a pod, to be kept; `kind` is what its first container is. */
  async take(config: SandboxConfig, kind: RunnerKind): Promise<SandboxRecord> {
    const { podUid, namespace, name, attempt, labels, annotations, addresses = [] } = config;
    const { cgroupParent: cgroup, handler } = config;
    // What is ready has an address already.
    const isAny = addresses.length === 0;
    const ready = isAny ? this.#pool.take({ kind, above: dirname(cgroup) }) : undefined;
    const id = this.#options.newId();
    const record = ready ?? (await this.#make(kind, { id, cgroup, podUid, addresses }));
    const createdAt = this.#options.clock.now();
    const pod = { podUid, namespace, name, attempt, createdAt, labels, annotations };
    record.pod = { ...pod, handler };
    record.ready = true;
    return record;
  }

  /** The runner that waits, for a container of its kind; it is the sandbox's on disk until the container is there. */
  takeSpare(record: SandboxRecord, kind: RunnerKind) {
    const { spare } = record;
    if (!spare || !sameKind(spare.kind, kind) || !isAlive(spare)) return undefined;
    record.spare = undefined;
    return spare;
  }

  endSpare(record: SandboxRecord) {
    if (!record.spare) return;
    killRunner(record.spare);
    this.#options.places.removeRunner(record.spare.id);
    record.spare = undefined;
  }

  /** Gives the network back. Nothing runs in it any more. */
  async stop(record: SandboxRecord) {
    await this.#leave(record);
    record.ready = false;
    this.#save(record);
  }

  async remove(record: SandboxRecord) {
    const { id, cgroup } = record;
    this.endSpare(record);
    this.#all.delete(id);
    this.#options.places.forget("sandboxes", id);
    const isOthers = [...this.#all.values()].some((one) => one.cgroup === cgroup);
    if (isSlot(cgroup) && !isOthers) await this.#options.cgroups.remove(cgroup);
  }

  async close() {
    await this.#dropping;
    await this.#pool.close();
  }
}
