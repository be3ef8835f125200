// What a site has of its machine, counted: a soak is sound when the counts at its end are those of its beginning. The
// soak has a machine's namespaces to itself, so every interface, rule and network namespace there is the site's.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../support/command.ts";

export interface Counts {
  processes: number;
  mounts: number;
  interfaces: number;
  /** Network namespaces: of pods, and of machines that join. */
  namespaces: number;
  routes: number;
  rules: number;
  cgroups: number;
  files: number;
  descriptors: number;
  loops: number;
}

export interface Owned {
  directory: string;
  /** Of their cgroups: `kerb2`. */
  names: string[];
  pid: number;
}

const lines = (text: string) => text.split("\n").filter(Boolean);

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function cgroupOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch {
    return "";
  }
}

function processes({ directory, names }: Owned): number {
  const pids = readdirSync("/proc").filter((one) => /^\d+$/.test(one));
  const inCgroup = (pid: string) => {
    const cgroup = cgroupOf(pid);
    return names.some((name) => cgroup.includes(`/${name}/`));
  };
  return pids.filter((pid) => commandOf(pid).includes(directory) || inCgroup(pid)).length;
}

/** Folders and files below `path`, but for what `skip` names. */
function below(path: string, skip: RegExp): number {
  let count = 0;
  let entries: import("node:fs").Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return 0;
  }
  for (const one of entries) {
    const child = join(path, one.name);
    if (skip.test(child)) continue;
    count++;
    if (one.isDirectory()) count += below(child, skip);
  }
  return count;
}

function cgroups({ names }: Owned): number {
  const root = "/sys/fs/cgroup";
  const tops = readdirSync(root).includes("cgroup.controllers")
    ? [root]
    : readdirSync(root).map((one) => join(root, one));
  const pods = (path: string): number => {
    try {
      const entries = readdirSync(path, { withFileTypes: true }).filter((one) => one.isDirectory());
      return entries.reduce((sum, one) => sum + 1 + pods(join(path, one.name)), 0);
    } catch {
      return 0;
    }
  };
  const own = tops.flatMap((top) => names.map((name) => join(top, name)));
  return own.reduce((sum, path) => sum + pods(path), 0);
}

function descriptors(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  // Connections come and go with whoever asks.
  return readdirSync(folder).filter((one) => {
    try {
      return !readlinkSync(join(folder, one)).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

/** Neither the store, whose files turn, nor images and logs of the runtime, which have limits of their own. */
const changing = /\/(store|containerd\/root|memory)(\/|$)|\.log(\.|$)|\/run\.json/;

/** How many of what `ip` lists. */
async function listed(...args: string[]): Promise<number> {
  const { stdout } = await runToEnd("ip", ["-json", ...args]);
  return stdout ? (JSON.parse(stdout) as unknown[]).length : 0;
}

export async function count(owned: Owned): Promise<Counts> {
  const { directory, pid } = owned;
  const mounts = lines(readFileSync("/proc/self/mountinfo", "utf8"));
  const loops = await runToEnd("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
  return {
    processes: processes(owned),
    mounts: mounts.length,
    interfaces: await listed("link"),
    namespaces: readdirSync("/run/netns").length,
    routes: await listed("route", "show", "table", "all"),
    rules: lines((await runToEnd("nft", ["list", "ruleset"])).stdout).length,
    cgroups: cgroups(owned),
    files: below(directory, changing),
    descriptors: descriptors(pid),
    loops: lines(loops.stdout).filter((one) => one.includes(`${directory}/`)).length,
  };
}

/** What there is more of now. */
export function grown(before: Counts, now: Counts): string[] {
  const room: Partial<Counts> = { descriptors: 8, files: 4 };
  return (Object.keys(before) as (keyof Counts)[])
    .filter((key) => now[key] > before[key] + (room[key] ?? 0))
    .map((key) => `${key}: ${before[key]} before, ${now[key]} now`);
}
