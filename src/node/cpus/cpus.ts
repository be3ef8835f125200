// The processors of this machine, lent to containers. What was given is on disk before a container starts, so
// that it has the same after a restart of Kerb; those that share are told whenever their share changes.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../lib/log.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Ending } from "../pods/ending.ts";
import { writeWhole } from "../whole-file.ts";
import type { DiskWriter } from "../whole-file.ts";
import { cpusText, parseCpus } from "./cpu-set.ts";
import { CpuLedger, NoCpus } from "./cpu-ledger.ts";
import type { Assignments } from "./cpu-ledger.ts";

export interface Cpus {
  /** Why the pod cannot have what it asks for. */
  admit(pod: Pod): Promise<Ending | undefined>;
  release(podUid: string): Promise<void>;
  /** Forgets all but these. */
  keep(podUids: ReadonlySet<string>): Promise<void>;
  /** What a container runs on; undefined where nobody cares. */
  cpusetOf(pod: Pod, container: Container): string | undefined;
  /** True for pods with processors of their own. */
  holds(podUid: string): boolean;
  /** What a container has alone. */
  own(pod: Pod, container: Container): number[];
  /** What containers can have alone. */
  lendable(): number[];
}

export const anyCpus: Cpus = {
  admit: async () => undefined,
  release: async () => {},
  keep: async () => {},
  cpusetOf: () => undefined,
  holds: () => false,
  own: () => [],
  lendable: () => [],
};

const topology = "/sys/devices/system/cpu";

/** Processors by core. */
export async function machineCores(directory = topology): Promise<number[][]> {
  const names = await readdir(directory);
  const online = parseCpus(await readFile(join(directory, "online"), "utf8"));
  const cores = new Map<string, number[]>();
  for (const name of names) {
    const cpu = Number(/^cpu(\d+)$/.exec(name)?.[1] ?? NaN);
    if (!online.includes(cpu)) continue;
    const file = join(directory, name, "topology/thread_siblings_list");
    const siblings = await readFile(file, "utf8").catch(() => String(cpu));
    cores.set(siblings.trim(), [...(cores.get(siblings.trim()) ?? []), cpu]);
  }
  return [...cores.values()]
    .map((core) => core.sort((a, b) => a - b))
    .sort((a, b) => a[0]! - b[0]!);
}

class StaticCpus implements Cpus {
  readonly #ledger: CpuLedger;
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #disk: DiskWriter | undefined;

  constructor(ledger: CpuLedger, path: string, { onChange, disk }: CpuOptions) {
    this.#ledger = ledger;
    this.#path = path;
    this.#onChange = onChange;
    this.#disk = disk;
  }

  async admit(pod: Pod): Promise<Ending | undefined> {
    try {
      this.#ledger.admit(pod);
    } catch (error) {
      if (!(error instanceof NoCpus)) throw error;
      const message = `Pod was rejected: Allocate failed due to ${error.message}, which is unexpected`;
      return { reason: "UnexpectedAdmissionError", message };
    }
    if (this.holds(pod.metadata.uid)) await this.#changed();
    return undefined;
  }

  async release(podUid: string) {
    if (this.#ledger.forget(podUid)) await this.#changed();
  }

  async keep(podUids: ReadonlySet<string>) {
    const gone = Object.keys(this.#ledger.assignments).filter((uid) => !podUids.has(uid));
    for (const uid of gone) this.#ledger.forget(uid);
    if (gone.length > 0) await this.#changed();
  }

  cpusetOf(pod: Pod, container: Container) {
    return cpusText(this.#ledger.of(pod, container) ?? this.#ledger.shared());
  }

  holds(podUid: string) {
    return podUid in this.#ledger.assignments;
  }

  own(pod: Pod, container: Container) {
    return this.#ledger.of(pod, container) ?? [];
  }

  lendable() {
    return this.#ledger.lendable();
  }

  async #changed() {
    await writeWhole(this.#path, JSON.stringify(this.#ledger.assignments), this.#disk);
    this.#onChange();
  }
}

interface CpuOptions {
  directory: string;
  reserved: string;
  log: Log;
  /** The share of those that share has changed. */
  onChange: () => void;
  /** Default: those of this machine. */
  cores?: number[][];
  disk?: DiskWriter;
}

/** The static policy. */
export async function openCpus(options: CpuOptions): Promise<Cpus> {
  const { directory, reserved, log, cores } = options;
  const path = join(directory, "cpus.json");
  let assignments: Assignments = {};
  try {
    assignments = JSON.parse(await readFile(path, "utf8")) as Assignments;
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (!absent) log.warn("who has which cpus was not read", { error: String(error) });
  }
  const ledger = new CpuLedger(cores ?? (await machineCores()), parseCpus(reserved), assignments);
  return new StaticCpus(ledger, path, options);
}
