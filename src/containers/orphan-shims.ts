// Shims that containerd has lost. It starts one for each pod and forgets it when the start is broken off at the
// wrong moment: by a full disk, or because Kerb was killed while it asked. Nobody would ever end them.
import { readdir, readFile } from "node:fs/promises";
import { socketOf } from "./socket.ts";

export interface Shim {
  pid: number;
  /** Of its sandbox. */
  id: string;
}

/** A shim of the containerd with this socket, from its command line. Pure. */
export function shimOf(pid: number, command: string, socket: string): Shim | undefined {
  const words = command.split("\0");
  const after = (flag: string) => words[words.indexOf(flag) + 1];
  if (!/containerd-shim[^/]*$/.test(words[0] ?? "") || after("-address") !== socket)
    return undefined;
  const id = words.includes("-id") ? after("-id") : undefined;
  return id ? { pid, id } : undefined;
}

/** One after the other: a machine has hundreds, and each that is read has a buffer of its own. */
export async function shimsIn(directory: string): Promise<Shim[]> {
  const socket = socketOf(directory);
  const found: Shim[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    const shim = shimOf(Number(name), command, socket);
    if (shim) found.push(shim);
  }
  return found;
}

const childrenOf = async (pid: number) => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
};

function kill(pid: number) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

/** With what it holds. */
export async function endShim({ pid }: Shim) {
  for (const child of await childrenOf(pid)) kill(child);
  kill(pid);
}

/** A pod that starts has a shim before it has a name, and on a busy machine that takes its time. */
const looksMax = 4;

/** Ends those that were unknown at several looks on end. */
export class OrphanShims {
  readonly #directory: string;
  /** How often each was unknown. */
  #suspects = new Map<number, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Resolves with how many were ended. */
  async end(knownIds: ReadonlySet<string>): Promise<number> {
    const unknown = (await shimsIn(this.#directory)).filter(({ id }) => !knownIds.has(id));
    const looks = ({ pid }: Shim) => (this.#suspects.get(pid) ?? 0) + 1;
    const doomed = unknown.filter((one) => looks(one) >= looksMax);
    for (const shim of doomed) await endShim(shim);
    this.#suspects = new Map(unknown.map((one) => [one.pid, looks(one)]));
    return doomed.length;
  }
}
