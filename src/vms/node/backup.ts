// Copies of disks as they were at one moment, while the guest goes on writing: QEMU copies what is about to be
// overwritten first.
import { chown, rm } from "node:fs/promises";
import { writeFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { badRequest } from "../../lib/status-error.ts";
import { qemuUser } from "../domain.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { show } from "./hotplug.ts";
import type { HolderVolumes } from "./hotplug.ts";
import { untilJob } from "./jobs.ts";
import type { Vm } from "./vm.ts";
import { runCommand } from "../../lib/run-command.ts";

export interface BackupOptions {
  volumes: HolderVolumes;
  to: { holder: string; volume: string };
  /** The guest's own file systems stand still while the copy begins. */
  quiesce?: { freeze: () => Promise<void>; thaw: () => Promise<void> };
}

const targetNode = (volume: string) => blockNode(`backup of ${volume}`);
const jobOf = (volume: string) => `backup-${blockNode(volume)}`;

async function sizeOf(vm: Vm, volume: string): Promise<number> {
  const nodes: any[] = await vm.qmp.execute("query-named-block-nodes", { flat: true });
  return nodes.find((one) => one["node-name"] === blockNode(volume)).image["virtual-size"];
}

export async function backupDisks(
  vm: Vm,
  names: string[],
  { volumes, to, quiesce }: BackupOptions,
) {
  const replicated = vm.domain.disks.find(
    ({ name, source }) => names.includes(name) && source.kind === "file" && source.replicated,
  );
  if (replicated) {
    throw badRequest(
      `volume ${replicated.name} is replicated: it is copied while the VM is stopped`,
    );
  }
  const folder = await volumes.folder(to.holder, to.volume);
  const shown = `backup-${to.volume}`;
  await show(vm, shown, folder);
  try {
    for (const name of names) {
      const file = join(folder, `${name}.img`);
      writeFileSync(file, "");
      truncateSync(file, await sizeOf(vm, name));
      await chown(file, qemuUser, qemuUser);
      const filename = join(vm.options.inside, "hotplug", shown, `${name}.img`);
      await vm.qmp.execute("blockdev-add", {
        driver: "raw",
        "node-name": targetNode(name),
        file: { driver: "file", filename },
      });
    }
    return await copyAtOnce(vm, names, quiesce);
  } finally {
    for (const name of names) {
      await vm.qmp.execute("blockdev-del", { "node-name": targetNode(name) }).catch(() => {});
    }
    const target = join(vm.options.run, "hotplug", shown);
    await runCommand("umount", ["-l", target]).catch(() => {});
    await rm(target, { recursive: true, force: true });
  }
}

const isSo = () => true;
const isNotSo = () => false;

/** All disks are copied as of the same moment, as one transaction begins the copies. */
async function copyAtOnce(vm: Vm, names: string[], quiesce: BackupOptions["quiesce"]) {
  const actions = names.map((name) => ({
    type: "blockdev-backup",
    data: {
      "job-id": jobOf(name),
      device: blockNode(name),
      target: targetNode(name),
      sync: "full",
      "auto-dismiss": false,
      "auto-finalize": true,
    },
  }));
  const quiesced = quiesce !== undefined && (await quiesce.freeze().then(isSo, isNotSo));
  try {
    await vm.qmp.execute("transaction", { actions });
  } finally {
    if (quiesced) await quiesce.thaw();
  }
  for (const name of names) {
    await untilJob(vm, jobOf(name), ["concluded"]);
    await vm.qmp.execute("job-dismiss", { id: jobOf(name) });
  }
  return { quiesced };
}
