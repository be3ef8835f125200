// The bundle of a program beside QEMU: a TPM, or what shares a volume's files with the guest. Each is as narrow as
// QEMU's own, sees the sockets' folder and what it serves, and nothing else of the pod or the host.
//
// virtiofsd locks itself into the shared folder (chroot) and changes its user to the guest's, for which it must be
// root: of a user namespace in which root is QEMU's user outside, and nobody else exists.
import { chmodSync, chownSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { runCommand } from "../../lib/run-command.ts";
import type { Domain } from "../domain.ts";
import { launcherPaths, qemuUser, sidecars } from "../domain.ts";
import { sidecarSocket } from "../qemu/launch.ts";
import { mountSource, qemuBundle } from "./bundle.ts";
import type { Seccomp } from "./seccomp.ts";
import type { BundleConfig } from "./bundle.ts";
import { loadedFiles } from "./loaded-files.ts";

const swtpm = "/usr/bin/swtpm";
const unshare = "/usr/bin/unshare";
/** Debian's, of qemu-system-common, or of the package of its own name. */
const virtiofsds = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"];
/** What virtiofsd does before its own filter stands. */
const sandboxCalls = ["unshare", "chroot"];
/** It wants to have no further groups, which nobody may say in such a namespace; it has none but its volumes'. */
const answeredCalls = ["setgroups"];

/** Pure. */
export function shareSeccomp(given: Seccomp | undefined): Seccomp {
  const { syscalls = [], ...rest } = given ?? { defaultAction: "SCMP_ACT_ALLOW" };
  const kept = syscalls.map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => !answeredCalls.includes(name)),
  }));
  return {
    ...rest,
    syscalls: [
      ...kept.filter(({ names }) => names.length > 0),
      { names: sandboxCalls, action: "SCMP_ACT_ALLOW" },
      { names: answeredCalls, action: "SCMP_ACT_ERRNO", errnoRet: 0 },
    ],
  };
}

const pollMs = 20;
const waitMsMax = 20_000;

/** The folder of the sockets is QEMU's alone. */
export function ownRunFolder(config: BundleConfig): string {
  const run = mountSource(config, launcherPaths.run);
  if (!run) throw new Error(`nothing is mounted at ${launcherPaths.run}`);
  chmodSync(run, 0o700);
  chownSync(run, qemuUser, qemuUser);
  return run;
}

function needed(path: string | undefined, what: string, from: string): string {
  if (path && existsSync(path)) return path;
  throw new Error(`${what}: this node has no ${from}`);
}

async function programs(tools: string[]) {
  const loaded = await Promise.all(tools.map((tool) => runCommand("ldd", [tool])));
  return [...new Set([...tools, ...loaded.flatMap(loadedFiles)])];
}

const socketOf = (container: string) => join(launcherPaths.run, sidecarSocket(container));

async function tpmBundle(config: BundleConfig) {
  const program = needed(swtpm, "devices.tpm", "swtpm (Debian package swtpm)");
  return qemuBundle(config, {
    args: [
      ...[program, "socket", "--tpm2", "--tpmstate", `dir=${launcherPaths.state}`],
      ...["--ctrl", `type=unixio,path=${socketOf(sidecars.tpm)}`],
    ],
    user: qemuUser,
    files: await programs([program]),
    devices: [],
  });
}

async function shareBundle(config: BundleConfig, container: string): Promise<BundleConfig> {
  const found = virtiofsds.find((path) => existsSync(path));
  const program = needed(
    found,
    "devices.filesystems",
    "virtiofsd (Debian package qemu-system-common)",
  );
  const bundle = qemuBundle(config, {
    args: [
      ...[unshare, "--user", "--map-root-user", "--", program],
      ...[`--socket-path=${socketOf(container)}`, "-o", `source=${launcherPaths.share}`],
      ...["-o", "sandbox=chroot"],
    ],
    user: qemuUser,
    files: await programs([unshare, program]),
    devices: [],
  });
  const options = ["nosuid", "nodev", "noexec", "mode=700", `uid=${qemuUser}`, `gid=${qemuUser}`];
  const seccomp = shareSeccomp(bundle.linux?.["seccomp"] as Seccomp | undefined);
  return {
    ...bundle,
    mounts: [
      ...(bundle.mounts ?? []),
      { destination: "/var/run", type: "tmpfs", source: "tmpfs", options },
    ],
    linux: { ...bundle.linux, seccomp },
  };
}

/** Undefined for a container that is none. */
export async function sidecarBundle(
  config: BundleConfig,
  container: string,
): Promise<BundleConfig | undefined> {
  const isShare = container.startsWith(sidecars.share(""));
  if (!isShare && container !== sidecars.tpm) return undefined;
  ownRunFolder(config);
  return isShare ? shareBundle(config, container) : tpmBundle(config);
}

/** QEMU wants to find them listening. */
export async function untilSidecars(run: string, { tpm, filesystems }: Domain, clock: Clock) {
  const wanted = [...(tpm ? [sidecars.tpm] : []), ...filesystems.map(sidecars.share)];
  for (const container of wanted) {
    const socket = join(run, sidecarSocket(container));
    for (let waited = 0; !statSync(socket, { throwIfNoEntry: false }); waited += pollMs) {
      if (waited > waitMsMax) throw new Error(`${container} does not answer`);
      await sleep(clock, pollMs);
    }
  }
}
