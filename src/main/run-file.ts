// DIR/run.json says which process runs a site. A pid alone may have been taken by another program since a
// reboot, so the process' start time (in clock ticks since boot) and the boot's id are kept with it.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface RunningSite {
  pid: number;
  startTicks: string;
  boot: string;
  port: number;
  /** Addresses it was told to listen on. */
  listen?: string[];
}

const bootId = () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/**
 * Field 22 of /proc/PID/stat, counted after the command's name, which may hold blanks. One that was killed
 * and not yet waited for (state Z) runs no more.
 */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const path = (directory: string) => join(directory, "run.json");

export function writeRunFile(directory: string, port: number, listen: string[] = []) {
  const site: RunningSite = {
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? "",
    boot: bootId(),
    port,
    listen,
  };
  writeFileSync(`${path(directory)}.new`, JSON.stringify(site), { mode: 0o600 });
  renameSync(`${path(directory)}.new`, path(directory));
}

export function removeRunFile(directory: string) {
  rmSync(path(directory), { force: true });
}

/** The Kerb that runs on this data now, if one does. */
export function findRunning(directory: string): RunningSite | undefined {
  let site: RunningSite;
  try {
    site = JSON.parse(readFileSync(path(directory), "utf8")) as RunningSite;
  } catch {
    return undefined;
  }
  return runs(site) ? site : undefined;
}

/** The same; throws what to do when none does. `directory` is absolute. */
export function runningOn(directory: string): RunningSite {
  const running = findRunning(directory);
  if (running) return running;
  throw new Error(`no site runs on ${directory}; start it with: kerb up --data-dir ${directory}`);
}

/** A process that runs now, to be told from later ones with its number. */
export function processOf(
  pid: number,
): Pick<RunningSite, "pid" | "startTicks" | "boot"> | undefined {
  const ticks = startTicks(pid);
  return ticks === undefined ? undefined : { pid, startTicks: ticks, boot: bootId() };
}

/** True until its process has ended. */
export const runs = ({
  boot,
  pid,
  startTicks: ticks,
}: Pick<RunningSite, "pid" | "startTicks" | "boot">) =>
  boot === bootId() && startTicks(pid) === ticks;
