// Called before runc creates a container of the handler `vm`: makes the VM's disks and cable, and rewrites
// the bundle's config.json so that its process is QEMU. Arguments: the folder of the bundle and that of Kerb's notes;
// or, started ahead, `--wait`, the pipe by which bundles are named, and that folder.
import { chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { lookAtBundles } from "../lib/look-at-bundles.ts";
import { devicesOf } from "./prepare/claimed-devices.ts";
import { domainAnnotation, launcherPaths, qemuUser } from "./domain.ts";
import type { Domain } from "./domain.ts";
import { ownRunFolder, sidecarBundle, untilSidecars } from "./prepare/sidecar-bundle.ts";
import {
  containerName,
  withHostDevices,
  withLateMemory,
  isSandbox,
  mountSource,
  networkNamespace,
  qemuBundle,
  sandboxUid,
} from "./prepare/bundle.ts";
import type { BundleConfig, Program } from "./prepare/bundle.ts";
import { capabilitiesIn, qemuBinary, qemuFiles } from "./prepare/host-qemu.ts";
import { prepareDisks } from "./prepare/prepare-disks.ts";
import { prepareFirmware } from "./prepare/prepare-firmware.ts";
import { taskAnnotation } from "./disks/task.ts";
import { taskBundle } from "./prepare/prepare-task.ts";
import { prepareNetwork } from "./prepare/prepare-network.ts";
import { qemuArguments } from "./qemu/arguments.ts";

/** As glibc's makedev takes a device's number apart. */
function device(path: string): Program["devices"][number] {
  const { rdev } = statSync(path);
  const major = ((rdev >> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff);
  const minor = (rdev & 0xff) | ((rdev >> 12) & ~0xff);
  return { path, type: "c", major, minor };
}

function deviceNodes(domain: Domain, hasTap: boolean, accelerator: string) {
  const wanted: [string, boolean, string][] = [
    ["/dev/net/tun", hasTap, "interfaces"],
    ["/dev/kvm", accelerator === "kvm", "KVM"],
    ["/dev/vhost-vsock", Boolean(domain.vsock), "autoattachVSOCK"],
  ];
  return wanted.flatMap(([path, isWanted, what]) => {
    if (!isWanted) return [];
    if (!existsSync(path)) throw new Error(`${what}: this node has no ${path}`);
    return [device(path)];
  });
}

/** Kerb's own notes about a VM, out of QEMU's reach. */
function notesFolder(directory: string, podUid: string): string {
  const folder = join(directory, podUid);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

async function prepare(bundle: string, directory: string) {
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as BundleConfig;
  if (isSandbox(config)) return;
  const task = config.annotations?.[taskAnnotation];
  if (task) {
    const filling = await taskBundle(config, { task, directory });
    return writeFileSync(file, JSON.stringify(filling));
  }
  const beside = await sidecarBundle(config, containerName(config) ?? "");
  if (beside) return writeFileSync(file, JSON.stringify(beside));
  const text = config.annotations?.[domainAnnotation];
  const podUid = sandboxUid(config);
  if (!text || !podUid) throw new Error(`the pod has no annotation ${domainAnnotation}`);
  const domain = JSON.parse(text) as Domain;
  const hostPath = (path: string) => mountSource(config, path);
  const give = (path: string) => chownSync(path, qemuUser, qemuUser);
  const run = ownRunFolder(config);
  const namespace = networkNamespace(config);
  if (!namespace) throw new Error("the pod has no network of its own");
  const [disks, network, files] = await Promise.all([
    prepareDisks(domain, { hostPath, give }),
    prepareNetwork(domain, { namespace, resolvConf: hostPath("/etc/resolv.conf") }),
    qemuFiles(directory),
    untilSidecars(run, domain, systemClock),
  ]);
  const { accelerator } = capabilitiesIn(directory);
  const { taps, mtu, leases } = network;
  const firmware = prepareFirmware(domain, { hostPath, give });
  const environment = config.process["env"] as string[] | undefined;
  const notes = notesFolder(directory, podUid);
  const given = { environment: environment ?? [], notes };
  const hostDevices = await devicesOf(domain.hostDevices ?? [], given, systemClock);
  const launch = {
    accelerator,
    disks,
    taps,
    mtu,
    run: launcherPaths.run,
    hostDevices,
    ...firmware,
  };
  writeFileSync(join(notes, "network.json"), JSON.stringify({ namespace, leases }));
  writeFileSync(join(notes, "disks.json"), JSON.stringify(disks));
  const program = {
    args: [qemuBinary, ...qemuArguments(domain, launch, { now: systemClock.now() })],
    user: qemuUser,
    files,
    devices: deviceNodes(domain, Object.keys(taps).length > 0, accelerator),
  };
  const made = qemuBundle(config, program);
  const bundled = hostDevices.length > 0 ? withHostDevices(made, hostDevices) : made;
  writeFileSync(file, JSON.stringify(domain.incoming ? withLateMemory(bundled) : bundled));
}

/** One line without quotes, since it becomes part of a JSON text; empty when all is well. */
const problemOf = (bundle: string, directory: string) =>
  prepare(bundle, directory).then(
    () => "",
    (error: Error) => error.message.replace(/[\s"\\]+/g, " ").trim() || "it cannot be prepared",
  );

lookAtBundles(process.argv.slice(2), problemOf);
