// Looks at the machine, changes nothing. Each check is one function with one answer.
import type { StatsFs } from "node:fs";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Check } from "../../cli/doctor.ts";
import { systemClock } from "../../lib/clock.ts";
import { ipv6Facts, ipv6Problem } from "../../node/network/ipv6.ts";
import { isRoot, searchPath } from "../config.ts";

const freeBytesMin = 500 * 2 ** 20;
/** As a kubelet has it; `--eviction-hard` may say less. */
const freeShareMin = 0.15;
/** Kerb did not exist before this; an earlier clock is certainly wrong. */
const clockMsMin = Date.UTC(2026, 0, 1);

/** First place of `tool` on the search path, with the folders that root's path has. */
export function findTool(tool: string): string | undefined {
  const folders = [...searchPath.split(delimiter), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return folders.map((folder) => join(folder, tool)).find((path) => existsSync(path));
}

function toolCheck(tool: string, debianPackage: string, what: string): Check {
  const path = findTool(tool);
  if (path) return { name: tool, state: "ok", detail: path };
  const fix = `apt-get install ${debianPackage}`;
  return { name: tool, state: "missing", detail: `not found; ${what}`, fix };
}

/** Containers run without it. */
function conntrackCheck(): Check {
  const found = toolCheck("conntrack", "conntrack", "");
  if (found.state === "ok") return found;
  const detail = "not found; after an endpoint is gone some clients wait for it for two minutes";
  return { ...found, state: "warning", detail };
}

export const cniFolders = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

function cniCheck(): Check {
  const folder = cniFolders.find(
    (f) => existsSync(join(f, "ptp")) && existsSync(join(f, "host-local")),
  );
  if (folder) return { name: "CNI plugins", state: "ok", detail: folder };
  return {
    name: "CNI plugins",
    state: "missing",
    detail: "ptp and host-local not found; pods get no network",
    fix: "apt-get install containernetworking-plugins",
  };
}

function rootCheck(): Check {
  if (isRoot) return { name: "root", state: "ok", detail: "running as root" };
  return {
    name: "root",
    state: "warning",
    detail: "not root: the API works, containers and the pod network do not",
    fix: "run kerb as root",
  };
}

function cgroupCheck(): Check {
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const v1 = existsSync("/sys/fs/cgroup/memory");
  if (v2 || v1) return { name: "cgroups", state: "ok", detail: v2 ? "version 2" : "version 1" };
  return {
    name: "cgroups",
    state: "missing",
    detail: "no cgroup hierarchy under /sys/fs/cgroup; containers cannot be limited",
    fix: "boot with cgroups enabled",
  };
}

function diskCheck(directory: string): Check {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK);
  } catch {
    const fix = "choose another with --data-dir, or mend its permissions";
    return { name: "data", state: "missing", detail: `cannot write to ${directory}`, fix };
  }
  return { name: "data", ...roomOf(directory, statfsSync(directory)) };
}

/** Whether there is room for pods on a disk. Pure. */
export function roomOf(
  directory: string,
  { bavail, bsize, blocks }: Pick<StatsFs, "bavail" | "bsize" | "blocks">,
): Pick<Check, "state" | "detail" | "fix"> {
  const mebibytes = Math.floor((bavail * bsize) / 2 ** 20);
  const share = `${Math.floor((100 * bavail) / blocks)} %`;
  const detail = `${directory}, ${mebibytes} MiB free (${share})`;
  if (bavail * bsize < freeBytesMin) {
    return { state: "warning", detail, fix: "free some space; images need it" };
  }
  if (bavail >= blocks * freeShareMin) return { state: "ok", detail };
  const least = `${100 * freeShareMin} %`;
  const fix =
    "free some space, or let pods start with less: kerb configure " +
    "eviction-hard='memory.available<100Mi,nodefs.available<5%,imagefs.available<5%'";
  return { state: "warning", detail: `${detail}; below ${least} no new pods start`, fix };
}

function clockCheck(): Check {
  const now = systemClock.now();
  const detail = new Date(now).toISOString();
  if (now >= clockMsMin) return { name: "clock", state: "ok", detail };
  const fix = "set the clock or run NTP; Kerb works meanwhile, times in objects are wrong";
  return { name: "clock", state: "warning", detail: `${detail} cannot be right`, fix };
}

function forwardCheck(): Check {
  const on = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1";
  const detail = on ? "on" : "off; Kerb turns it on when it starts as root";
  return { name: "forwarding", state: "ok", detail };
}

/** Without it pods of WebAssembly modules are containerd's. */
function bubblewrapCheck(): Check {
  const check = toolCheck("bwrap", "bubblewrap", "WebAssembly pods start as slowly as containers");
  return check.state === "ok" ? check : { ...check, state: "warning" };
}

/** Only sites that have ranges of IPv6 need it. */
function ipv6Check(): Check {
  const problem = ipv6Problem(ipv6Facts());
  const detail = problem ? `${problem}; sites of IPv4 do not need it` : "on";
  return { name: "IPv6", state: "ok", detail };
}

export function examine(directory: string): Check[] {
  return [
    rootCheck(),
    diskCheck(directory),
    clockCheck(),
    toolCheck("flock", "util-linux", "the data directory cannot be locked, and no site starts"),
    toolCheck("containerd", "containerd", "containers do not run"),
    toolCheck("runc", "runc", "containers do not run"),
    cniCheck(),
    toolCheck("nft", "nftables", "Services do not route"),
    toolCheck("ip", "iproute2", "pods get no network"),
    conntrackCheck(),
    bubblewrapCheck(),
    cgroupCheck(),
    forwardCheck(),
    ipv6Check(),
  ];
}
