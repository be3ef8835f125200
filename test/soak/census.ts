// What a site has of its machine, by name: a soak is sound when there is no more of anything at its end than at its
// beginning, and where there is more the names say what. The soak has a machine's namespaces to itself, so every
// interface, rule and network namespace there is the site's.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { runToEnd } from "../support/command.ts";

/** Names of everything, with repetitions: two processes may be called the same. */
export interface Census {
  processes: string[];
  mounts: string[];
  interfaces: string[];
  /** Network namespaces: of pods, and of machines that join. */
  namespaces: string[];
  routes: string[];
  rules: string[];
  cgroups: string[];
  files: string[];
  descriptors: string[];
  loops: string[];
}

export interface Owned {
  directory: string;
  /** Of their cgroups: `kerb2`. */
  names: string[];
  pid: number;
}

const namesMax = 60;

const lines = (text: string) => text.split("\n").filter(Boolean);

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
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

function processes({ directory, names }: Owned): string[] {
  return readdirSync("/proc")
    .filter((one) => /^\d+$/.test(one))
    .flatMap((pid) => {
      const command = commandOf(pid);
      const cgroup = cgroupOf(pid);
      const own = command.includes(directory) || names.some((name) => cgroup.includes(`/${name}/`));
      return own ? [`${pid} ${command}`] : [];
    });
}

/** `device on point, type`: the numbers before them are new with every mount. */
function mounts(): string[] {
  return lines(readFileSync("/proc/self/mountinfo", "utf8")).map((line) => {
    const [own = "", shared = ""] = line.split(" - ");
    const [, , , root, point] = own.split(" ");
    return `${point} of ${root}, ${shared.split(" ").slice(0, 2).join(" ")}`;
  });
}

/** Folders and files below `path`, but for what `skip` names. */
function below(path: string, skip: RegExp): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((one) => {
      const child = join(path, one.name);
      if (skip.test(child)) return [];
      return one.isDirectory() ? [child, ...below(child, skip)] : [child];
    });
  } catch {
    return [];
  }
}

/** Folders alone: a cgroup's files are the kernel's. */
function foldersBelow(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter((one) => one.isDirectory());
    return entries.flatMap((one) => {
      const child = join(path, one.name);
      return [child, ...foldersBelow(child)];
    });
  } catch {
    return [];
  }
}

function cgroups({ names }: Owned): string[] {
  const root = "/sys/fs/cgroup";
  const tops = readdirSync(root).includes("cgroup.controllers")
    ? [root]
    : readdirSync(root).map((one) => join(root, one));
  return tops.flatMap((top) => names.flatMap((name) => foldersBelow(join(top, name))));
}

function descriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((one) => {
    try {
      const target = readlinkSync(join(folder, one));
      // Connections come and go with whoever asks.
      return target.startsWith("socket:") ? [] : [target];
    } catch {
      return [];
    }
  });
}

/** Neither the store, whose files turn, nor images and logs of the runtime, which have limits of their own. */
const changing = /\/(store|containerd\/root|memory)(\/|$)|\.log(\.|$)|\/run\.json/;

interface Listed {
  ifname?: string;
  dst?: string;
  dev?: string;
  table?: string;
}

async function listed(...args: string[]): Promise<Listed[]> {
  const { stdout } = await runToEnd("ip", ["-json", ...args]);
  return stdout ? (JSON.parse(stdout) as Listed[]) : [];
}

/** Every line of the rules, with the chain, set or map that it stands in. */
async function rules(): Promise<string[]> {
  const { stdout } = await runToEnd("nft", ["list", "ruleset"]);
  const within: string[] = [];
  return lines(stdout).map((line) => {
    const words = line.trim();
    const name = [...within, words].join(" ").replaceAll(" {", "");
    if (/^(table|chain|set|map) .*\{$/.test(words)) within.push(words);
    else if (words === "}") within.pop();
    return name;
  });
}

export async function take(owned: Owned): Promise<Census> {
  const { directory, pid } = owned;
  const loops = await runToEnd("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
  const routes = await listed("route", "show", "table", "all");
  return {
    processes: processes(owned),
    mounts: mounts(),
    interfaces: (await listed("link")).map(({ ifname = "" }) => ifname),
    namespaces: readdirSync("/run/netns"),
    routes: routes.map(({ dst, dev, table }) => `${dst} by ${dev} in ${table ?? "main"}`),
    rules: await rules(),
    cgroups: cgroups(owned),
    files: below(directory, changing).map((path) => relative(directory, path)),
    descriptors: descriptors(pid),
    loops: lines(loops.stdout).filter((one) => one.includes(`${directory}/`)),
  };
}

const kinds = (census: Census) => Object.keys(census) as (keyof Census)[];

export const counts = (census: Census) =>
  JSON.stringify(Object.fromEntries(kinds(census).map((kind) => [kind, census[kind].length])));

/** Those of `names` that `others` lacks; of a name that is there twice and lacked once, one. */
function without(names: string[], others: string[], shape: (name: string) => string): string[] {
  const left = new Map<string, number>();
  for (const one of others.map(shape)) left.set(one, (left.get(one) ?? 0) + 1);
  return names.filter((one) => {
    const there = left.get(shape(one)) ?? 0;
    left.set(shape(one), there - 1);
    return there <= 0;
  });
}

/** What a pod has is called otherwise when the pod is another: by ids, numbers, its name's end, and a set of files. */
const shapeOf = (name: string) =>
  name.replaceAll(/[\da-f-]{8,}|\d+|(?<=-)[a-z\d]{5}(?=_)|(?<=\/\.\.)\w+/g, "*");

/** New and gone, but for what merely has another number now. */
function changed(before: string[], now: string[]) {
  const more = without(now, before, String);
  const fewer = without(before, now, String);
  return {
    more: without(more, fewer, shapeOf),
    fewer: without(fewer, more, shapeOf),
  };
}

const few = (sign: string, names: string[]) => [
  ...names.slice(0, namesMax).map((one) => `${sign} ${one}`),
  ...(names.length > namesMax ? [`${sign} and ${names.length - namesMax} more`] : []),
];

export interface Growth {
  kind: keyof Census;
  before: number;
  now: number;
  /** `+ new` and `- gone`. */
  changes: string[];
}

function growthOf(kind: keyof Census, before: Census, now: Census): Growth {
  const { more, fewer } = changed(before[kind], now[kind]);
  const changes = [...few("+", more), ...few("-", fewer)];
  return { kind, before: before[kind].length, now: now[kind].length, changes };
}

/** What there is more of now than `room` allows. */
export function grown(before: Census, now: Census, room: Partial<Record<keyof Census, number>>) {
  return kinds(before)
    .filter((kind) => now[kind].length > before[kind].length + (room[kind] ?? 0))
    .map((kind) => growthOf(kind, before, now));
}
