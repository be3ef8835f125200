// What is known of a file that came in part, beside it: from what its source was, and how much of its beginning is
// there. After a power cut that does not tell what is on the disk, so it counts for one start of the machine.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";

const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export interface ResumeMark {
  /** Tells whether the source is the same still. */
  validator: string;
  bytes: number;
}

const markOf = (file: string) => `${file}.mark`;

/** Undefined where there is nothing to go on with. */
export function readMark(file: string): ResumeMark | undefined {
  if (!existsSync(file) || !existsSync(markOf(file))) return undefined;
  const [since, validator = "", kept] = readFileSync(markOf(file), "utf8").split("\n");
  const bytes = Math.min(Number(kept) || 0, statSync(file).size);
  return since === boot && validator && bytes > 0 ? { validator, bytes } : undefined;
}

export const writeMark = (file: string, { validator, bytes }: ResumeMark) =>
  writeFileSync(markOf(file), `${boot}\n${validator}\n${bytes}`);

export const removeMark = (file: string) => rmSync(markOf(file), { force: true });
