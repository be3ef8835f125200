// A containerd of Kerb's own: root, state, socket and configuration lie in the site's folder, so it meets no
// other containerd on the machine. It runs in a session of its own and outlives Kerb, which finds it again
// by its socket; only `kerb down` ends it.
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  watch,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { socketOf } from "./socket.ts";
import type { IpFamily } from "../lib/ip-range.ts";

export interface ContainerdPaths {
  binary: string;
  runc: string;
  /** Folder of the CNI plugins. */
  cniPlugins: string;
  directory: string;
  /** Runtimes of their own in runc's place, by handler of RuntimeClasses. */
  handlers?: Record<string, string>;
  /** Of a pod's addresses the one that is told first; default: IPv4. */
  podFamily?: IpFamily;
}

export const pauseImage = "kerb.internal/pause:1";
const logBytesMax = 4 * 2 ** 20;
const startMsMax = 60_000;
const stopMsMax = 10_000;

/** CAP_SYS_RESOURCE, without which oom scores can only be raised. */
function mayLowerOomScore(): boolean {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"));
  return (BigInt(`0x${bounding?.[1] ?? "0"}`) & (1n << 24n)) !== 0n;
}

const ipv6First = '\n    ip_pref = "ipv6"';

/** containerd's configuration (version 2). Pure. */
export function containerdConfig(paths: ContainerdPaths, restrictOomScore: boolean): string {
  const { directory, cniPlugins, runc } = paths;
  const quote = (text: string) => JSON.stringify(text);
  const section = `plugins."io.containerd.grpc.v1.cri".containerd.runtimes`;
  const runtimes = Object.entries({ runc, ...paths.handlers }).map(
    ([name, program]) => `    [${section}.${name}]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = ["vms.kerb.dev/*", "kerb.dev/*", "alpha.wasi.krustlet.dev/*"]
      container_annotations = ["kerb.dev/*"]
      [${section}.${name}.options]
        BinaryName = ${quote(program)}
        SystemdCgroup = false`,
  );
  return `version = 2
root = ${quote(join(directory, "root"))}
state = ${quote(join(directory, "state"))}
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp"
]
[grpc]
  address = ${quote(socketOf(directory))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quote(pauseImage)}
  restrict_oom_score_adj = ${restrictOomScore}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  max_container_log_line_size = 16384
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${quote(cniPlugins)}
    conf_dir = ${quote(join(directory, "net.d"))}${paths.podFamily === "IPv6" ? ipv6First : ""}
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${quote(join(directory, "certs.d"))}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
${runtimes.join("\n")}
`;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => resolve(true));
    connection.once("error", () => resolve(false));
    connection.once("close", () => connection.destroy());
    connection.once("connect", () => connection.end());
  });
}

const pidFile = (directory: string) => join(directory, "containerd.pid");

/** The pid of this folder's containerd, if it runs. */
export function containerdPid(directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile(directory), "utf8"));
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return command.includes(join(directory, "config.toml")) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A containerd that runs goes on writing at the log's new end. */
function trimLog(path: string) {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) truncateSync(path);
}

/**
 * Resolves once the socket answers. A running containerd is adopted; one that another release configured differently
 * is started again, and what it runs does not notice.
 */
export async function startContainerd(paths: ContainerdPaths, clock: Clock): Promise<void> {
  const { directory, binary } = paths;
  const socket = socketOf(directory);
  for (const folder of ["net.d", "certs.d"])
    mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  const logFile = join(directory, "containerd.log");
  trimLog(logFile);
  const config = join(directory, "config.toml");
  const wanted = containerdConfig(paths, !mayLowerOomScore());
  const isSame = existsSync(config) && readFileSync(config, "utf8") === wanted;
  if (containerdPid(directory) !== undefined && (await answers(socket))) {
    if (isSame) return;
    await stopContainerd(directory, clock);
  }
  rmSync(socket, { force: true });
  if (!isSame) writeFileSync(config, wanted, { mode: 0o600 });
  const output = openSync(logFile, "a", 0o600);
  const child = spawn(binary, ["--config", config, "--log-level", "warn"], {
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  let ended: string | undefined;
  child.on("error", (error) => (ended = error.message));
  child.on("exit", (code) => (ended = `exit code ${code}`));
  child.unref();
  if (child.pid !== undefined) writeFileSync(pidFile(directory), String(child.pid));
  const giveUpAt = clock.monotonic() + startMsMax;
  while (!(await answers(socket))) {
    if (ended !== undefined) throw new Error(`containerd did not start (${ended}); see ${logFile}`);
    if (clock.monotonic() > giveUpAt) throw new Error(`containerd does not answer; see ${logFile}`);
    await nextChange(directory, clock);
  }
}

/** Resolves when something changes in the folder, or after a moment. */
function nextChange(directory: string, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const watcher = existsSync(directory) ? watch(directory) : undefined;
    const done = () => {
      cancel();
      watcher?.close();
      resolve();
    };
    const cancel = clock.after(50, done);
    watcher?.once("change", done);
  });
}

/** Ends containerd and waits for it. Its containers live on with their shims. */
export async function stopContainerd(directory: string, clock: Clock): Promise<void> {
  const pid = containerdPid(directory);
  if (pid === undefined) return;
  process.kill(pid, "SIGTERM");
  const killAt = clock.monotonic() + stopMsMax;
  while (containerdPid(directory) !== undefined) {
    if (clock.monotonic() > killAt) process.kill(pid, "SIGKILL");
    await new Promise<void>((resolve) => void clock.after(20, resolve));
  }
  rmSync(pidFile(directory), { force: true });
}
