import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const orElse = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};
const textOf = (path: string) => orElse(() => readFileSync(path, "utf8"), "");
const mountsOf = (pid: string) => orElse(() => readlinkSync(`/proc/${pid}/ns/mnt`), "");

/**
 * Processes of pods that have volumes below a folder, whose command line (words end in NUL) is one of those. What is in
 * no pod sees the folders of all, too.
 */
export function podProcesses(directory: string, isWanted: (words: string) => boolean): number[] {
  const outside = mountsOf("self");
  return readdirSync("/proc")
    .filter(
      (pid) =>
        /^\d+$/.test(pid) &&
        isWanted(textOf(`/proc/${pid}/cmdline`)) &&
        ![outside, ""].includes(mountsOf(pid)) &&
        textOf(`/proc/${pid}/mountinfo`).includes(directory),
    )
    .map(Number);
}

/** The QEMUs of a VM (`namespace_name`): others may have a guest of that name. */
export const qemusOf = (guest: string, directory: string): number[] =>
  podProcesses(directory, (words) => words.includes(`guest=${guest}\0`));
