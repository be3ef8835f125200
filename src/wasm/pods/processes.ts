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

let boot: string | undefined;

/** A machine starts much the same each time, and then another may have the pid and the moment of one of before. */
const bootId = () => (boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());

/** When a process began, in the kernel's ticks: a pid alone may be another's by now. Undefined for one that ended. */
export function beganAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : `${rest[18]} ${bootId()}`;
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
