// What ails a machine beyond being short of something, as conditions of its node: tasks that hang in the kernel, a
// disk that has become read-only, a clock that cannot be right. The first two by the names that
// node-problem-detector has given them. Pure.
import { releaseMs } from "../../lib/release.ts";

export interface Look {
  /** Wall clock and monotonic, milliseconds. */
  now: number;
  monotonic: number;
  kernelLines: string[];
  readOnly: boolean;
}

export interface Condition {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
}

/** The kernel repeats what goes on every two minutes. */
const hungMs = 300_000;
/** What a clock may gain or lose between two looks without being stepped. */
const driftMsMax = 60_000;
const jumpedMs = 600_000;
const yearMs = 365 * 86_400_000;
/** No machine that runs this release is as old as that. */
const lifeMsMax = 30 * yearMs;

export interface Known {
  last?: { now: number; monotonic: number };
  hung?: { at: number; what: string };
  jumped?: { at: number; byMs: number };
}

const hungTask = /task (\S+) blocked for more than \d+ seconds/;
const systemOom = /^Out of memory: Killed process (\d+) \(([^)]*)\)/;

/** Takes a look into what is known. */
export function learn(known: Known, { now, monotonic, kernelLines }: Look): Known {
  const next: Known = { ...known, last: { now, monotonic } };
  for (const line of kernelLines) {
    const [what] = hungTask.exec(line) ?? [];
    if (what) next.hung = { at: monotonic, what };
  }
  if (known.last) {
    const byMs = now - known.last.now - (monotonic - known.last.monotonic);
    if (Math.abs(byMs) > driftMsMax) next.jumped = { at: monotonic, byMs };
  }
  return next;
}

/** Processes that the kernel killed since the whole machine had no memory left. */
export const systemOoms = ({ kernelLines }: Look) =>
  kernelLines.flatMap((line) => {
    const [, pid, name] = systemOom.exec(line) ?? [];
    return pid ? [`System OOM encountered, victim process: ${name}, pid: ${pid}`] : [];
  });

const condition = (type: string, yes: [string, string] | undefined, no: [string, string]) => {
  const [reason, message] = yes ?? no;
  return { type, status: yes ? "True" : "False", reason, message } as Condition;
};

function clockProblem({ jumped }: Known, { now, monotonic }: Look): [string, string] | undefined {
  const shown = new Date(now).toISOString();
  if (now < releaseMs) {
    return ["ClockBeforeRelease", `the clock shows ${shown}, before this release was made`];
  }
  if (now > releaseMs + lifeMsMax) return ["ClockFarAhead", `the clock shows ${shown}`];
  if (!jumped || monotonic - jumped.at > jumpedMs) return undefined;
  const seconds = Math.round(Math.abs(jumped.byMs) / 1000);
  const way = jumped.byMs > 0 ? "forward" : "back";
  return ["ClockJumped", `the clock was set ${way} by ${seconds} seconds`];
}

export function problemConditions(known: Known, look: Look): Condition[] {
  const { hung } = known;
  const hangs = hung && look.monotonic - hung.at <= hungMs;
  return [
    condition("KernelDeadlock", hangs ? ["TaskHung", hung.what] : undefined, [
      "KernelHasNoDeadlock",
      "kernel has no deadlock",
    ]),
    condition(
      "ReadonlyFilesystem",
      look.readOnly ? ["FilesystemIsReadOnly", "Filesystem is read-only"] : undefined,
      ["FilesystemIsNotReadOnly", "Filesystem is not read-only"],
    ),
    condition("ClockInDoubt", clockProblem(known, look), [
      "ClockIsPlausible",
      "the clock is plausible",
    ]),
  ];
}
