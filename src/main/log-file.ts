// DIR/kerb.log, where a site in the background says what it has to say. The file is this process' own output,
// which cannot be led elsewhere: one that has grown too long is copied aside and begun anew. What is written is
// written at once and by one thread, so between the two nothing is lost.
import { copyFileSync, fstatSync, openSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Scope } from "../lib/scope.ts";

/** There are at most two of these, and what a minute writes. */
export const logBytesMax = 10 * 2 ** 20;
const lookMs = 60_000;
const stderr = 2;

export const logFile = (directory: string) => join(directory, "kerb.log");

/** A descriptor that appends, for the output of a process. */
export const openLogFile = (directory: string) => openSync(logFile(directory), "a", 0o600);

function turnOver(file: string) {
  const aside = `${file}.1`;
  rmSync(aside, { force: true });
  try {
    copyFileSync(file, aside);
  } catch {
    // No room for it: the limit counts more than the past.
    rmSync(aside, { force: true });
  }
  truncateSync(file);
}

/** Does nothing when `output` is another file. */
export function keepLogShort(
  directory: string,
  { clock, scope, output = stderr }: { clock: Clock; scope: Scope; output?: number },
) {
  const file = logFile(directory);
  const look = () => {
    const there = statSync(file, { throwIfNoEntry: false });
    const own = fstatSync(output);
    if (there?.ino !== own.ino || there.dev !== own.dev) return;
    if (there.size > logBytesMax) turnOver(file);
  };
  look();
  scope.defer(clock.every(lookMs, look));
}
