// A machine that joined becomes another release as a site does, but has no API of its own to be asked by: who updates it
// writes which release is to be tried, and sends a signal.
import { become, ownRelease } from "./handover.ts";
import { proveRelease, readState, tryRelease, writeState } from "./state.ts";
import type { Release } from "./state.ts";
import { spawnWatcher } from "./switch.ts";
import { untilProven } from "../site/until-proven.ts";

const switchSignal = "SIGUSR2";

/** Resolves when the node is to stop and become what is tried. */
export function switchAsked(directory: string): Promise<Release> {
  return new Promise((resolve) => {
    process.on(switchSignal, () => {
      const trying = readState(directory)?.trying;
      if (trying && trying.root !== ownRelease.root) resolve(trying);
    });
  });
}

/** Its pods run, and what it is asked for it answers: what was tried is good. */
export function proveNode(directory: string) {
  const state = proveRelease(readState(directory), ownRelease);
  if (state) writeState(directory, state);
}

/** Does not return; the old release stands by until the new one has proved itself. */
export function becomeRelease(directory: string, release: Release, isService: boolean): never {
  const args = process.argv.slice(2);
  spawnWatcher(directory, args, { isService, isConfiguration: false });
  become(release, args);
}

/** Resolves with what to say; throws when the old release runs again. */
export async function updateNode(directory: string, release: Release, pid: number) {
  const state = readState(directory);
  const installed = state?.installed ?? ownRelease.version;
  writeState(directory, tryRelease(state, release, installed));
  process.kill(pid, switchSignal);
  const { version } = release;
  const look = async () => {
    const { trying, failed, good } = readState(directory) ?? {};
    if (trying) return undefined;
    if (failed?.version === version)
      throw new Error(`${failed.message}; the one before runs again`);
    return good?.version === version ? `Kerb ${version} runs the node.` : undefined;
  };
  return untilProven(look, `the node does not say that it is up; see ${directory}/kerb.log`);
}
