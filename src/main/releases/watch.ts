// The watcher of a release that is tried: it runs the old one, and starts that again when the new one ends or is
// not ready in time. Under a service manager it only ends what hangs: starting again is the manager's.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { join } from "node:path";
import type { WatchReleaseOptions } from "../../cli/update.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { processOf, runs } from "../run-file.ts";
import { giveUp, readState, writeState } from "./state.ts";

const readyMsMax = 150_000;
const lookEveryMs = 300;

function startAgain(directory: string, args: string[]) {
  const log = openSync(join(directory, "kerb.log"), "a", 0o600);
  spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  }).unref();
}

/** Resolves with the exit code when the release is proved or given up. */
export async function watchRelease(
  args: string[],
  { dataDir: directory, pid: number, service: isService = false }: WatchReleaseOptions,
): Promise<number> {
  const pid = Number(number);
  const watched = processOf(pid);
  const deadline = systemClock.monotonic() + readyMsMax;
  const tried = readState(directory)?.trying?.root;
  for (;;) {
    const state = readState(directory);
    if (!state?.trying) {
      // Given up by whoever stopped the site.
      const isProved = state?.good?.root === tried;
      if (!isProved && watched && runs(watched)) process.kill(pid, "SIGKILL");
      return 0;
    }
    const isLate = systemClock.monotonic() > deadline;
    const isOver = !watched || !runs(watched);
    if (isOver && isService) return 0;
    if (isOver || isLate) {
      const { version } = state.trying;
      const why = isOver ? "ended before it was ready" : "was not ready in time";
      if (!isOver) process.kill(pid, "SIGKILL");
      writeState(directory, giveUp(state, `release ${version} ${why}; see ${directory}/kerb.log`));
      if (!isService) startAgain(directory, args);
      return 1;
    }
    await sleep(systemClock, lookEveryMs);
  }
}
