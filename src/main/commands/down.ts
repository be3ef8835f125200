// `kerb down`: ends Kerb, then the workloads it left running, then what the site had of the machine.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { DownOptions } from "../../cli/down.ts";
import { systemClock } from "../../lib/clock.ts";
import { giveUpChange, readConfiguration, writeConfiguration } from "../configuration/state.ts";
import { leaveMachine } from "../node/leave-machine.ts";
import { giveUp, readState, writeState } from "../releases/state.ts";
import { findRunning, removeRunFile, runs } from "../run-file.ts";
import { readSettings } from "../site/site-settings.ts";

const stopMsMax = 20_000;

const pause = (ms: number) => new Promise<void>((done) => void systemClock.after(ms, done));

async function stopKerb(directory: string) {
  const running = findRunning(directory);
  if (!running) return false;
  process.kill(running.pid, "SIGTERM");
  const killAt = systemClock.monotonic() + stopMsMax;
  while (runs(running)) {
    if (systemClock.monotonic() > killAt) process.kill(running.pid, "SIGKILL");
    await pause(20);
  }
  removeRunFile(directory);
  return true;
}

/** What is tried was not ready; whoever watches it starts nothing again. */
function giveUpTrials(directory: string, why: string) {
  const state = readState(directory);
  if (state?.trying) writeState(directory, giveUp(state, why));
  const configuration = readConfiguration(directory);
  if (configuration.trying) writeConfiguration(directory, giveUpChange(configuration, why));
}

export async function down(options: DownOptions): Promise<number> {
  const directory = resolve(options.dataDir);
  const settings = readSettings(directory);
  if (!settings) {
    console.log(`there is no site in ${directory}`);
    return existsSync(directory) ? 0 : 1;
  }
  giveUpTrials(directory, "the site was stopped before it was ready");
  const stopped = await stopKerb(directory);
  console.log(
    stopped ? `stopped Kerb (${settings.name})` : `Kerb was not running (${settings.name})`,
  );
  if (options.keepWorkloads) return 0;
  const { gracePeriod } = options;
  await leaveMachine(directory, settings, { gracePeriod, tell: (line) => console.log(line) });
  return 0;
}
