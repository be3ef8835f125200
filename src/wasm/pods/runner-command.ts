// How a runner is started outside of containerd, behind the same walls: namespaces, a root that holds Node and nothing
// else, nobody's user, no privileges to gain, the runner's own system calls. bubblewrap makes the namespaces and stays
// as the process that knows how the runner ended, which it writes to a file: so runners need no Kerb. Pure.
import { basename, dirname, join } from "node:path";
import { codeFolder, descriptorsOf, ownFolder, sonameOf } from "../bundle.ts";
import type { Runner } from "../bundle.ts";
import type { RunnerKind, RunnerUser } from "../../node/process-programs.ts";

/** Where a pod's own things lie in its runner's root. */
export const sharedFolder = join(ownFolder, "shared");

/** In there: volumes, by their paths in the container. */
export const volumesFolder = "volumes";

/** Descriptors of the started process; the first three are a process's own. */
export const descriptors = { told: 3, status: 4, filter: 5 } as const;

/** Of the kernel's files those that tell of others; a container does not see them either. */
const masked = ["kcore", "keys", "latency_stats", "timer_list", "sched_debug"];

export interface CommandInput {
  runner: Runner;
  kind: RunnerKind;
  /** Of the pod's network. */
  netns: string;
  /** Files into which it writes itself first, to be in its cgroup with all that it starts. */
  entries: string[];
  /** The folder on the machine that is shown as `sharedFolder`. */
  shared: string;
  /** The machine's own program that drops privileges, and its shared objects. */
  dropper: { executable: string; libraries: string[] };
  /** What of the kernel's files this machine has. */
  hasProc: (name: string) => boolean;
}

const loaderOf = (libraries: string[]) =>
  libraries.find((file) => basename(file).startsWith("ld-"));

/** All that files lie in, the outermost first: bubblewrap itself would make them for root alone. */
function foldersOf(files: string[]): string[] {
  const above = (path: string): string[] => (path === "/" ? [] : [...above(dirname(path)), path]);
  return [...new Set(files.flatMap((file) => above(dirname(file))))];
}

function rootArguments({ runner, dropper, shared, hasProc }: CommandInput): string[] {
  const show = (source: string, target: string) => ["--ro-bind", source, target];
  const { tools = [] } = runner;
  const libraries = new Map(
    [...dropper.libraries, ...runner.libraries].map((file) => [sonameOf(file), file]),
  );
  return [
    ...[ownFolder, "/dev", "/etc", ...foldersOf(tools)].flatMap((path) => [
      ...["--perms", "0755", "--dir", path],
    ]),
    ...show(runner.executable, join(ownFolder, "node")),
    ...show(dropper.executable, join(ownFolder, "setpriv")),
    ...[...libraries].flatMap(([name, file]) => show(file, join(ownFolder, name))),
    ...show(runner.folder, codeFolder),
    ...tools.flatMap((file) => show(file, file)),
    ...(runner.volumes ?? []).flatMap((path) => [
      ...["--symlink", join(sharedFolder, volumesFolder, path), path],
    ]),
    // Writable where the machine lets the runner's user write: its log and its last words.
    ...["--bind", shared, sharedFolder],
    ...["--symlink", join(sharedFolder, "hosts"), "/etc/hosts"],
    ...["--symlink", join(sharedFolder, "resolv.conf"), "/etc/resolv.conf"],
    ...["null", "urandom"].flatMap((name) => ["--dev-bind", `/dev/${name}`, `/dev/${name}`]),
    ...["--proc", "/proc"],
    ...masked.filter(hasProc).flatMap((name) => show("/dev/null", `/proc/${name}`)),
    ...["--remount-ro", "/"],
  ];
}

function privilegeArguments({ uid, gid, groups }: RunnerUser): string[] {
  return [
    ...["--reuid", String(uid), "--regid", String(gid)],
    ...(groups.length > 0 ? ["--groups", groups.join()] : ["--clear-groups"]),
    ...["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"],
  ];
}

/** Word for word what is executed; the descriptors are the caller's to give. */
export function runnerCommand(input: CommandInput): string[] {
  const { runner, kind, netns, entries, dropper } = input;
  const loader = loaderOf(runner.libraries) ?? loaderOf(dropper.libraries);
  const start = (program: string) => {
    const path = join(ownFolder, program);
    return loader ? [join(ownFolder, sonameOf(loader)), "--library-path", ownFolder, path] : [path];
  };
  const enter = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit; shift; done; shift';
  const limits = `ulimit -c 0; ulimit -n ${descriptorsOf(kind.network)}`;
  return [
    ...["sh", "-c", `${enter}; ${limits}; exec "$@"`, "sh", ...entries, "--"],
    ...["nsenter", `--net=${netns}`, "bwrap"],
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--clearenv"],
    ...rootArguments(input),
    ...["--chdir", "/", "--json-status-fd", String(descriptors.status)],
    ...["--seccomp", String(descriptors.filter), "--"],
    ...start("setpriv"),
    ...privilegeArguments(kind),
    ...start("node"),
    ...["--disable-warning=ExperimentalWarning", "--no-addons", "--disable-sigusr1"],
    ...[join(codeFolder, runner.file), "--wait", kind.network ? "network" : "alone"],
  ];
}

export interface RunnerStatus {
  /** The first process of the runner's namespace, on the machine. */
  pid?: number;
  exitCode?: number;
}

/** What bubblewrap wrote, a JSON value a line. Pure. */
export function statusOf(text: string): RunnerStatus {
  const pid = /"child-pid": (\d+)/.exec(text)?.[1];
  const exitCode = /"exit-code": (\d+)/.exec(text)?.[1];
  return {
    ...(pid !== undefined && { pid: Number(pid) }),
    ...(exitCode !== undefined && { exitCode: Number(exitCode) }),
  };
}
