// Processes of runners, which are nobody's children after a restart of Kerb: they are known by pid and beginning.
import { readFileSync } from "node:fs";

/** bubblewrap's process has one child, the first of the runner's namespace, and that one has Node. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** When a process began, in the kernel's ticks: a pid alone may be another's by now. Undefined for one that ended. */
export function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : rest[18];
  } catch {
    return undefined;
  }
}

export interface Beginning {
  pid: number;
  began: string;
}

export const isAlive = ({ pid, began }: Beginning) => began !== "" && beganAt(pid) === began;

/** bubblewrap's, its child and Node, as far as they are there. */
export function processesOf(runner: Beginning): number[] {
  if (!isAlive(runner)) return [];
  const [first] = childrenOf(runner.pid);
  const [node] = first === undefined ? [] : childrenOf(first);
  return [runner.pid, first, node].filter((pid) => pid !== undefined);
}

/** Of `/proc/PID/status`: memory that is no file's. Pure. */
export function ownBytesIn(status: string): number {
  const rows = status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm);
  return [...rows].reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
}

/**
 * What a runner's processes have of memory. Its cgroup does not count what it had before it came there, while it
 * waited.
 */
export function ownBytesOf(runner: Beginning): number {
  const bytesOf = (pid: number) => {
    try {
      return ownBytesIn(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return 0;
    }
  };
  return processesOf(runner).reduce((sum, pid) => sum + bytesOf(pid), 0);
}

function kill(pid: number | undefined, signal: number | NodeJS.Signals) {
  try {
    if (pid !== undefined) process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** To Node, whose end the others tell of. False when there is no Node. */
export function signalRunner(runner: Beginning, signal: number | NodeJS.Signals): boolean {
  const [, , node] = processesOf(runner);
  kill(node, signal);
  return node !== undefined;
}

/** All of it, whether or not somebody then knows how it ended. */
export function killRunner(runner: Beginning) {
  for (const pid of processesOf(runner).reverse()) kill(pid, "SIGKILL");
}
