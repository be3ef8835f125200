// The watcher of what is tried, a release or other options: it runs the old release, and starts that again when what
// is tried ends or is not ready in time. Under a service manager it only ends what hangs: starting again is the manager's.
import { spawn } from "node:child_process";
import type { WatchReleaseOptions } from "../../cli/update.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { processOf, runs } from "../run-file.ts";
import { giveUpChange, readConfiguration, writeConfiguration } from "../configuration/state.ts";
import { readDebt } from "../site/trial.ts";
import { giveUp, readState, writeState } from "./state.ts";
import { openLogFile } from "../log-file.ts";

const readyMsMax = 150_000;
const lookEveryMs = 300;

interface Trial {
  /** What is tried, until it is proved or given up. */
  tried(): string | undefined;
  /** What was proved last. */
  proved(): string | undefined;
  giveUp(why: string): void;
}

const ofRelease = (directory: string): Trial => ({
  tried: () => readState(directory)?.trying?.root,
  proved: () => readState(directory)?.good?.root,
  giveUp(why) {
    const state = readState(directory)!;
    writeState(directory, giveUp(state, `release ${state.trying?.version} ${why}`));
  },
});

const ofConfiguration = (directory: string): Trial => ({
  tried: () => readConfiguration(directory).trying?.change,
  proved: () => readConfiguration(directory).proved,
  giveUp(why) {
    const state = readConfiguration(directory);
    writeConfiguration(directory, giveUpChange(state, `with the change the site ${why}`));
  },
});

function startAgain(directory: string, args: string[]) {
  const log = openLogFile(directory);
  spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  }).unref();
}

/** Resolves with the exit code when what is tried is proved or given up. */
export async function watchRelease(
  args: string[],
  {
    dataDir: directory,
    pid: number,
    service: isService = false,
    configuration = false,
  }: WatchReleaseOptions,
): Promise<number> {
  const trial = configuration ? ofConfiguration(directory) : ofRelease(directory);
  const pid = Number(number);
  const watched = processOf(pid);
  const deadline = systemClock.monotonic() + readyMsMax;
  const tried = trial.tried();
  // It was over before this process began.
  if (tried === undefined) return 0;
  for (;;) {
    if (trial.tried() === undefined) {
      // Given up by whoever stopped the site.
      const isProved = trial.proved() === tried;
      if (!isProved && watched && runs(watched)) process.kill(pid, "SIGKILL");
      return 0;
    }
    const isLate = systemClock.monotonic() > deadline;
    const isOver = !watched || !runs(watched);
    if (isOver && isService) return 0;
    if (isOver || isLate) {
      const missing = readDebt(directory)?.missing;
      const late = missing ? `was not as before in time: ${missing}` : "was not ready in time";
      const why = isOver ? "ended before it was ready" : late;
      if (!isOver) process.kill(pid, "SIGKILL");
      trial.giveUp(`${why}; see ${directory}/kerb.log`);
      if (!isService) startAgain(directory, args);
      return 1;
    }
    await sleep(systemClock, lookEveryMs);
  }
}
