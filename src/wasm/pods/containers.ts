// Containers that run without containerd: what is known of them, how they end, and what is theirs on the
// machine. An end is heard of by the file that bubblewrap writes, so it does not matter who was there.
import { appendFileSync, statSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { entriesOf } from "../files/container-log.ts";
import { hideVolumes } from "./container-files.ts";
import type { Kernel } from "./kernel.ts";
import type { ContainerCgroups } from "../../node/runtime.ts";
import type { Places } from "./places.ts";
import { isAlive, killRunner, signalRunner } from "./processes.ts";
import { reasonOf } from "./records.ts";
import type { ContainerRecord } from "./records.ts";
import type { Runners } from "./runners.ts";

export interface ContainersOptions {
  places: Places;
  kernel: Kernel;
  runners: Runners;
  cgroups: ContainerCgroups;
  clock: Clock;
  /** Something about it changed. */
  changed: (record: ContainerRecord) => void;
}

const killedCode = 137;
/** Of those whose end nobody saw. */
const unknownCode = 255;
const endMsMax = 5000;
const lookEveryMs = 10_000;

export class Containers {
  readonly #options: ContainersOptions;
  readonly #all = new Map<string, ContainerRecord>();
  /** Those whose every process this ended, so that nobody else tells how. */
  readonly #killed = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #watcher: FSWatcher;
  readonly #stopLooking: () => void;

  constructor(options: ContainersOptions) {
    this.#options = options;
    const { places, clock } = options;
    this.#watcher = watch(places.folder("status"), { persistent: false });
    this.#watcher.on("change", (_, id) => this.#look(String(id))).on("error", () => {});
    for (const record of places.read<ContainerRecord>("containers")) {
      this.#all.set(record.runner.id, record);
    }
    const all = () => [...this.#all.keys()].forEach((id) => this.#look(id));
    all();
    this.#stopLooking = clock.every(lookEveryMs, all);
  }

  all(): Iterable<ContainerRecord> {
    return this.#all.values();
  }

  of(sandboxId: string): ContainerRecord[] {
    return [...this.#all.values()].filter((one) => one.sandboxId === sandboxId);
  }

  get(id: string): ContainerRecord | undefined {
    return this.#all.get(id);
  }

  save(record: ContainerRecord) {
    this.#all.set(record.runner.id, record);
    this.#options.places.write("containers", record.runner.id, record);
  }

  /** Whether it has ended, and how. */
  #look(id: string) {
    const record = this.#all.get(id);
    if (!record || record.finishedAt > 0) return;
    const { exitCode } = this.#options.runners.status(id);
    if (exitCode !== undefined) void this.#ended(record, exitCode);
    else if (isAlive(record.runner)) this.#options.runners.shortenLastWords(id);
    else {
      // bubblewrap writes the end and goes at once; the file is read again after it is known to have gone.
      const last = this.#options.runners.status(id).exitCode;
      const code = last ?? (this.#killed.has(id) ? killedCode : unknownCode);
      void this.#ended(record, code, code === unknownCode ? "Unknown" : undefined);
    }
  }

  async #ended(record: ContainerRecord, exitCode: number, reason = reasonOf(exitCode, false)) {
    const { cgroups, kernel, places } = this.#options;
    const { id } = record.runner;
    record.finishedAt = this.#endedAt(id);
    record.exitCode = exitCode;
    record.reason = reason;
    hideVolumes(kernel, record.mounts);
    record.mounts = [];
    this.#addLastWords(record);
    if (exitCode === killedCode) {
      record.reason = reasonOf(exitCode, await cgroups.ranOut(record.cgroup));
    }
    if (places.isThere(id)) this.save(record);
    for (const tell of this.#waiting.get(id) ?? []) tell();
    this.#waiting.delete(id);
    this.#options.changed(record);
  }

  #endedAt(id: string): number {
    try {
      return Math.floor(statSync(this.#options.places.status(id)).mtimeMs);
    } catch {
      return this.#options.clock.now();
    }
  }

  /** What Node itself said, which is nothing unless it broke. */
  #addLastWords({ runner, logPath, finishedAt }: ContainerRecord) {
    const said = this.#options.runners.lastWords(runner.id).trimEnd();
    if (said === "") return;
    const prefix = `${new Date(finishedAt).toISOString().slice(0, -1)}000000Z stderr`;
    const entries = said.split("\n").flatMap((line) => entriesOf(Buffer.from(line), prefix, true));
    try {
      appendFileSync(logPath, Buffer.concat(entries));
    } catch {
      // Its pod's logs are gone.
    }
  }

  /** Resolves with whether it ended in time. */
  #untilEnded(record: ContainerRecord, ms: number): Promise<boolean> {
    if (record.finishedAt > 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const { id } = record.runner;
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const ended = () => {
        cancel();
        resolve(true);
      };
      const cancel = this.#options.clock.after(ms, () => {
        waiting.delete(ended);
        this.#look(id);
        resolve(record.finishedAt > 0);
      });
      waiting.add(ended);
    });
  }

  async stop(record: ContainerRecord, graceMs: number, signal: number | NodeJS.Signals) {
    if (record.finishedAt > 0) return;
    const isTold = graceMs > 0 && signalRunner(record.runner, signal);
    if (isTold && (await this.#untilEnded(record, graceMs))) return;
    if (signalRunner(record.runner, "SIGKILL") && (await this.#untilEnded(record, endMsMax)))
      return;
    this.#killed.add(record.runner.id);
    killRunner(record.runner);
    await this.#untilEnded(record, endMsMax);
  }

  async remove(record: ContainerRecord) {
    const { places, cgroups, kernel } = this.#options;
    const { id } = record.runner;
    await this.stop(record, 0, "SIGKILL");
    this.#all.delete(id);
    this.#killed.delete(id);
    // More than the record knows, where Kerb ended while it mounted.
    hideVolumes(kernel, places.mountsOf(id).toReversed());
    places.forget("containers", id);
    places.removeRunner(id);
    await cgroups.remove(record.cgroup);
  }

  close() {
    this.#stopLooking();
    this.#watcher.close();
  }
}
