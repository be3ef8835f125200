// What a site has of its machine, counted: a soak is sound when the counts at its end are those of its beginning.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "../support/command.ts";

export interface Counts {
  processes: number;
  mounts: number;
  interfaces: number;
  namespaces: number;
  rules: number;
  cgroups: number;
  files: number;
  descriptors: number;
  loops: number;
}

export interface Owned {
  directory: string;
  /** Of its bridge, cgroup and nftables table: `kerb2`. */
  name: string;
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

function processes({ directory, name }: Owned): number {
  const pids = readdirSync("/proc").filter((one) => /^\d+$/.test(one));
  const own = pids.filter(
    (pid) => commandOf(pid).includes(directory) || cgroupOf(pid).includes(`/${name}/`),
  );
  return own.length;
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

function cgroups({ name }: Owned): number {
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
  return tops.reduce((sum, top) => sum + pods(join(top, name)), 0);
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

export async function count(owned: Owned): Promise<Counts> {
  const { directory, name, pid } = owned;
  const mounts = lines(readFileSync("/proc/self/mountinfo", "utf8"));
  const routes = await runToEnd("ip", ["-o", "route", "show", "table", "all"]);
  const tables = lines((await runToEnd("nft", ["list", "tables"])).stdout);
  const own = tables.filter((one) => one.split(" ").at(-1)!.startsWith(name));
  const listed = own.map((one) => runToEnd("nft", ["list", ...one.split(" ")]));
  const rules = await Promise.all(listed);
  const loops = await runToEnd("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
  const cni = below(join(directory, "cni"), /lock|last_reserved/);
  return {
    processes: processes(owned),
    mounts: mounts.filter((line) => line.includes(directory)).length,
    // Each pod's link is a route on the machine, its address a file.
    interfaces: lines(routes.stdout).filter((line) => / dev veth/.test(line)).length,
    namespaces: cni,
    rules: rules.reduce((sum, { stdout }) => sum + lines(stdout).length, 0),
    cgroups: cgroups(owned),
    files: below(directory, changing),
    descriptors: descriptors(pid),
    loops: lines(loops.stdout).filter((one) => one.includes(`${directory}/`)).length,
  };
}

/** What there is more of now. Other sites on the machine have interfaces of their own. */
export function grown(before: Counts, now: Counts): string[] {
  const room: Partial<Counts> = { descriptors: 8, interfaces: Infinity, files: 4 };
  return (Object.keys(before) as (keyof Counts)[])
    .filter((key) => now[key] > before[key] + (room[key] ?? 0))
    .map((key) => `${key}: ${before[key]} before, ${now[key]} now`);
}
