// One process becomes another release of itself: the same pid, output and supervisor, other code.
import { resolve } from "node:path";
import { kerbVersion } from "../config.ts";
import { chooseRelease, readState, writeState } from "./state.ts";
import type { Release } from "./state.ts";

/** The release that this process is. In a bundle every file lies in `dist`. */
export const ownRelease: Release = {
  version: kerbVersion,
  root: resolve(import.meta.dirname, ".."),
};

/** Replaces this process by the same release; does not return. */
export function becomeAnew(args: string[], program = process.argv[1]!, env = process.env): never {
  const own = [process.execPath, ...process.execArgv];
  process.execve!(process.execPath, [...own, program, ...args], env);
  throw new Error("this process was not replaced");
}

/** Replaces this process by another release; does not return. */
export function become({ root }: Release, args: string[]): never {
  const env = { ...process.env, NODE_COMPILE_CACHE: `${root}/dist/.compile-cache` };
  return becomeAnew(args, `${root}/dist/kerb.js`, env);
}

/** Called before a site is started: hands over to the release that is to run it, if that is another one. */
export function handOver(directory: string, args: string[]) {
  const { run, state } = chooseRelease(readState(directory), ownRelease);
  if (state) writeState(directory, state);
  if (run) become(run, args);
}
