// What the machine's processors did for a VM, by the kernel's own count: QEMU as a whole, and each of its threads that
// is a processor of the guest. QEMU knows its threads by their numbers inside its container.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface VcpuTimes {
  id: number;
  runSeconds: number;
  /** Ready to run, and others ran. */
  delaySeconds: number;
}

export interface QemuTimes {
  userSeconds: number;
  systemSeconds: number;
  vcpus: VcpuTimes[];
}

/** `query-cpus-fast`'s answer, as far as it matters here. */
export interface VcpuThread {
  "cpu-index": number;
  "thread-id": number;
}

const ticksPerSecond = 100;
const nanoseconds = 1e-9;
/** In /proc/PID/stat after the program's name, which may hold anything. */
const statFields = { userTicks: 11, systemTicks: 12 } as const;

export class QemuProcesses {
  /** By pod. */
  readonly #known = new Map<string, string>();
  readonly #proc: string;

  /** `proc` is where the kernel lists processes. */
  constructor(proc = "/proc") {
    this.#proc = proc;
  }

  #read(...path: string[]): Promise<string> {
    return readFile(join(this.#proc, ...path), "utf8").catch(() => "");
  }

  async #isOf(podUid: string, pid: string): Promise<boolean> {
    if (!(await this.#read(pid, "comm")).startsWith("qemu-system")) return false;
    // systemd's names of groups have no dashes inside.
    return (await this.#read(pid, "cgroup")).replaceAll("_", "-").includes(`pod${podUid}`);
  }

  async #find(podUid: string): Promise<string | undefined> {
    const known = this.#known.get(podUid);
    if (known && (await this.#isOf(podUid, known))) return known;
    this.#known.delete(podUid);
    for (const pid of await readdir(this.#proc)) {
      if (!/^\d+$/.test(pid) || !(await this.#isOf(podUid, pid))) continue;
      this.#known.set(podUid, pid);
      return pid;
    }
    return undefined;
  }

  /** Host's threads by their numbers inside. */
  async #threads(pid: string): Promise<Map<number, string>> {
    const all = await readdir(join(this.#proc, pid, "task")).catch(() => []);
    const pairs = all.map(async (thread): Promise<[number, string]> => {
      const status = await this.#read(pid, "task", thread, "status");
      const inside = /^NSpid:.*?(\d+)$/m.exec(status)?.[1] ?? thread;
      return [Number(inside), thread];
    });
    return new Map(await Promise.all(pairs));
  }

  /** Undefined where QEMU is not found. */
  async times(podUid: string, threads: VcpuThread[]): Promise<QemuTimes | undefined> {
    const pid = await this.#find(podUid);
    if (!pid) return undefined;
    const stat = await this.#read(pid, "stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const seconds = (field: number) => Number(fields[field] ?? 0) / ticksPerSecond;
    const own = await this.#threads(pid);
    const vcpus = await Promise.all(
      threads.map(async ({ "cpu-index": id, "thread-id": inside }) => {
        const said = await this.#read(pid, "task", own.get(inside) ?? "none", "schedstat");
        const [run = 0, delay = 0] = said.split(" ").map(Number);
        const [runSeconds, delaySeconds] = [run * nanoseconds, delay * nanoseconds];
        return said ? [{ id, runSeconds, delaySeconds }] : [];
      }),
    );
    return {
      userSeconds: seconds(statFields.userTicks),
      systemSeconds: seconds(statFields.systemTicks),
      vcpus: vcpus.flat(),
    };
  }

  /** Pods that are no more are forgotten. */
  keep(podUids: string[]) {
    for (const uid of this.#known.keys()) if (!podUids.includes(uid)) this.#known.delete(uid);
  }
}
