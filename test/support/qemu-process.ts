import { readdirSync, readFileSync } from "node:fs";

const textOf = (path: string) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** The QEMUs of a VM (`namespace_name`) whose pods have volumes below a folder: others may have a guest of that name. */
export function qemusOf(guest: string, directory: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .filter(
      (pid) =>
        textOf(`/proc/${pid}/cmdline`).includes(`guest=${guest}\0`) &&
        textOf(`/proc/${pid}/mountinfo`).includes(directory),
    )
    .map(Number);
}
