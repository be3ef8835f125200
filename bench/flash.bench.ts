// What an idle site and an idle machine that joined it write to flash: each has a disk of its own, and the kernel says what
// came down to it, whichever process wrote it, with the file system's own journal, and how often it had to be synced. What
// the kernel charges a process for (/proc/PID/io) is no measure: of a file that it caches in large pieces it is the whole
// piece, up to two MiB for a write of 8 KiB in the store's journal, of which 8 KiB come to the disk.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { run, runToEnd } from "../test/support/command.ts";
import { busyboxArchive, importBusybox } from "../test/support/image.ts";
import { Machine } from "../test/support/machine.ts";
import { atInterrupt } from "../test/support/interrupt.ts";
import { freePort } from "../test/support/site.ts";
import { SiteOnDisk } from "../test/support/site-on-disk.ts";
import type { Rows } from "./row.ts";

const sectorBytes = 512;
/** What starts wrote is carried from the journal to the tree, and its history is forgotten: that is not idleness. */
const restMs = 11 * 60_000;
const pods = 3;
/** Else the kernel writes inode tables and the journal's zeros for minutes after the first mount. */
const madeAtOnce = "lazy_itable_init=0,lazy_journal_init=0";

async function diskAt(directory: string, file: string): Promise<string> {
  await run("fallocate", ["-l", "1G", file]);
  await run("mkfs.ext4", ["-q", "-F", "-E", madeAtOnce, file]);
  mkdirSync(directory, { recursive: true });
  await run("mount", ["-o", "loop,noatime", file, directory]);
  chmodSync(directory, 0o700);
  const device = await run("findmnt", ["--noheadings", "--output", "SOURCE", directory]);
  return basename(device.trim());
}

/** Of a block device since it is there. */
function written(device: string) {
  const fields = readFileSync(`/sys/block/${device}/stat`, "utf8").trim().split(/\s+/).map(Number);
  return { bytes: fields[6]! * sectorBytes, syncs: fields[15]! };
}

const workload = (node: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle-${node}}
spec:
  replicas: ${pods}
  selector: {matchLabels: {app: idle-${node}}}
  template:
    metadata: {labels: {app: idle-${node}}}
    spec:
      nodeSelector: {kubernetes.io/hostname: ${node}}
      containers:
      - name: main
        image: busybox:kerb
        command: [sleep, "1000000"]
        readinessProbe: {exec: {command: ["true"]}, periodSeconds: 10}
`;

export async function* benchFlash(seconds: number, waitMs = restMs): Rows {
  const home = mkdtempSync(join(tmpdir(), "kerb-flash-"));
  const site = new SiteOnDisk(join(home, "site"), await freePort());
  const machine = new Machine();
  const unmount = async () => {
    for (const one of [site.directory, machine.directory]) await runToEnd("umount", [one]);
    for (const one of [home, machine.directory]) await rm(one, { recursive: true, force: true });
  };
  const forget = atInterrupt(unmount);
  const disks = {
    site: await diskAt(site.directory, join(home, "site.disk")),
    "joined node": await diskAt(machine.directory, join(home, "machine.disk")),
  };
  try {
    await machine.start();
    await site.up("--name", "first", "--listen", machine.hostAddress);
    await machine.join(...(await site.joinWords()), "--name", "second");
    await importBusybox(site);
    const archive = join(machine.directory, "busybox.tar");
    writeFileSync(archive, busyboxArchive());
    await machine.kerb("image", "import", archive);
    for (const node of ["first", "second"]) {
      await site.apply(workload(node));
      await site.kubectl(["rollout", "status", `deployment/idle-${node}`, "--timeout=120s"]);
    }
    await run("sync", []);
    await setTimeout(waitMs);
    yield* watched(disks, seconds);
  } finally {
    await machine.remove().catch(() => {});
    await site.remove();
    await unmount();
    forget();
  }
}

async function* watched(disks: Record<string, string>, seconds: number): Rows {
  const before = Object.entries(disks).map(([name, device]) => ({
    ...{ name, device },
    ...written(device),
  }));
  await setTimeout(seconds * 1000);
  for (const { name, device, bytes, syncs } of before) {
    const now = written(device);
    const anHour = (n: number) => (n / seconds) * 3600;
    const mebibytes = anHour(now.bytes - bytes) / 2 ** 20;
    const what = `idle ${name}, ${pods} pods`;
    const better = "lower" as const;
    yield { name: `${what}: to flash an hour`, value: mebibytes, unit: "MiB", better, target: 1 };
    yield { name: `${what}: syncs an hour`, value: anHour(now.syncs - syncs), unit: "", better };
  }
}
