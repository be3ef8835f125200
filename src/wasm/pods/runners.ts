// Processes that wait for a module, or for a disk to fill, and their life: started, told their
// program, ended. Each is known by its folder and its status on disk, and is nobody's child in the end.
import { spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { ContainerCgroups } from "../../node/runtime.ts";
import { seccompProfile } from "../seccomp.ts";
import type { Runner } from "../bundle.ts";
import type { Kernel } from "./kernel.ts";
import type { Places } from "./places.ts";
import { beganAt } from "./processes.ts";
import type { RunnerRecord, SandboxRecord } from "./records.ts";
import { runnerCommand, sharedFolder, statusOf } from "./runner-command.ts";
import type { RunnerStatus } from "./runner-command.ts";
import type { RunnerKind } from "../../node/process-programs.ts";

/** Longer programs go by a file; a pipe takes so much before anybody reads. */
const pipeBytes = 60_000;
const saidBytesMax = 16_384;
/** Where the tools of a machine lie. */
const toolFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const programFile = "program.json";

export interface RunnersOptions {
  places: Places;
  kernel: Kernel;
  /** What waits for a container of that kind. */
  runnerOf: (kind: RunnerKind) => Runner;
  dropper: { executable: string; libraries: string[] };
  cgroups: ContainerCgroups;
  newId: () => string;
}

/** A runner's name and the files by which it enters its cgroup. */
export interface Reserved {
  id: string;
  entries: string[];
}

export class Runners {
  readonly #options: RunnersOptions;
  readonly #filters = new Set<string>();

  constructor(options: RunnersOptions) {
    this.#options = options;
    const { places, kernel } = options;
    if (!places.isShared()) kernel.share(places.folder("shared"), places.folder("seen"));
  }

  /** The filter of a kind, made by the first of that kind that this Kerb starts: an older one may have had another. */
  #filter({ network, program }: RunnerKind): string {
    const { places, kernel } = this.#options;
    const processes = program === "disk";
    const words = ["filter", ...(network ? ["network"] : []), ...(processes ? ["processes"] : [])];
    const file = join(places.root, words.join("-"));
    if (!this.#filters.has(file)) {
      kernel.writeFilter(seccompProfile({ network, processes, arch: process.arch }), file);
      this.#filters.add(file);
    }
    return file;
  }

  /** A cgroup for one, below that of its pod; it can be made before all that a runner needs is there. */
  async reserve(cgroup: string): Promise<Reserved> {
    const { cgroups, newId } = this.#options;
    const id = newId();
    return { id, entries: await cgroups.make(join(cgroup, id)) };
  }

  /** Leaves nothing behind when it throws. */
  async start(kind: RunnerKind, record: SandboxRecord, reserved: Reserved): Promise<RunnerRecord> {
    try {
      return this.#spawn(kind, record, reserved);
    } catch (error) {
      this.#options.places.removeRunner(reserved.id);
      await this.release(record.cgroup, reserved);
      throw error;
    }
  }

  /** Of one that was never started. */
  release(cgroup: string, { id }: Reserved): Promise<void> {
    return this.#options.cgroups.remove(join(cgroup, id));
  }

  #spawn(kind: RunnerKind, { netns }: SandboxRecord, { id, entries }: Reserved): RunnerRecord {
    const { places, kernel, runnerOf, dropper } = this.#options;
    mkdirSync(places.shared(id), { mode: 0o755 });
    kernel.pipe(places.told(id));
    const [command = "", ...words] = runnerCommand({
      ...{ runner: runnerOf(kind), dropper, kind, netns, entries, shared: places.seen(id) },
      hasProc: (name) => existsSync(join("/proc", name)),
    });
    const fds = [
      openSync("/dev/null", "r"),
      openSync("/dev/null", "w"),
      openSync(places.said(id), "a", 0o600),
      openSync(places.told(id), constants.O_RDWR),
      openSync(places.status(id), "a", 0o600),
      openSync(this.#filter(kind), "r"),
    ];
    try {
      const env = { PATH: toolFolders };
      const child = spawn(command, words, { detached: true, env, stdio: fds });
      child.on("error", () => {});
      child.unref();
      if (child.pid === undefined) throw new Error("no process could be started for a container");
      return { id, pid: child.pid, began: beganAt(child.pid) ?? "", kind };
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** Lets it begin. */
  tell(id: string, program: object) {
    const { places } = this.#options;
    let text = JSON.stringify(program);
    if (text.length > pipeBytes) {
      writeFileSync(places.shared(id, programFile), text, { mode: 0o644 });
      text = JSON.stringify({ elsewhere: join(sharedFolder, programFile) });
    }
    // For both, since a pipe that nobody reads any more would hold up who opens it.
    const pipe = openSync(places.told(id), constants.O_RDWR | constants.O_NONBLOCK);
    try {
      writeSync(pipe, `${text}\n`);
    } finally {
      closeSync(pipe);
    }
  }

  status(id: string): RunnerStatus {
    try {
      return statusOf(readFileSync(this.#options.places.status(id), "utf8"));
    } catch {
      return {};
    }
  }

  /** What Node itself said at its end, as a part of the container's log. */
  lastWords(id: string): string {
    try {
      const file = openSync(this.#options.places.said(id), "r");
      try {
        const text = Buffer.alloc(saidBytesMax);
        return text.toString("utf8", 0, readSync(file, text, 0, saidBytesMax, 0));
      } finally {
        closeSync(file);
      }
    } catch {
      return "";
    }
  }

  /** Whoever broke out of V8 may say more than Node ever does. */
  shortenLastWords(id: string) {
    try {
      const file = this.#options.places.said(id);
      if (statSync(file).size > saidBytesMax) truncateSync(file, saidBytesMax);
    } catch {
      // It is gone.
    }
  }
}
