// Disks that come and go while a VM runs. Another pod of this node holds the claim; its folder is shown in the VM's
// run folder, from where it appears in QEMU's container, and QEMU is told of the disk.
import { existsSync, realpathSync } from "node:fs";
import { chown, mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import type { DomainDisk } from "../domain.ts";
import { qemuUser } from "../domain.ts";
import { fileIn } from "../prepare/prepare-disks.ts";
import { blockdev, blockNode, diskDevice, diskDeviceOf } from "../qemu/disk-arguments.ts";
import { spareSlot, spareSlots } from "../qemu/device-arguments.ts";
import { forgetChanges } from "./replication/changes.ts";
import type { Vm } from "./vm.ts";

const unplugMsMax = 30_000;

export interface HolderVolumes {
  /** The host's folder of a volume that a pod of this node has mounted. Throws NotFound. */
  folder(podUid: string, volume: string): Promise<string>;
}

const within = (vm: Vm, volume: string) => join(vm.options.run, "hotplug", volume);

async function freeSlot(vm: Vm): Promise<string> {
  const buses: any[] = await vm.qmp.execute("query-pci");
  const devices: any[] = buses.flatMap(({ devices: all }) => all);
  for (let i = 0; i < spareSlots; i++) {
    const slot = devices.find(({ qdev_id }) => qdev_id === spareSlot(i));
    if (slot && (slot.pci_bridge?.devices ?? []).length === 0) return spareSlot(i);
  }
  throw new StatusError("Conflict", `all ${spareSlots} slots for further disks are taken`);
}

/** Where a bus has room; machines other than q35 take virtio disks anywhere. */
async function place(vm: Vm, { bus }: DomainDisk): Promise<{ bus?: string }> {
  if (bus === "scsi") return { bus: "scsi0.0" };
  if (bus !== "virtio") throw badRequest(`a disk cannot be plugged into bus ${bus}`);
  return vm.domain.machine === "q35" ? { bus: await freeSlot(vm) } : {};
}

export async function show(vm: Vm, volume: string, source: string) {
  const target = within(vm, volume);
  await mkdir(target, { recursive: true });
  await runCommand("mount", ["--bind", source, target]);
}

async function hide(vm: Vm, volume: string) {
  const target = within(vm, volume);
  if (!existsSync(target)) return;
  await runCommand("umount", ["-l", target]).catch(() => {});
  await rmdir(target).catch(() => {});
}

export interface HotplugOptions {
  volumes: HolderVolumes;
  holder: string;
}

export async function hotplug(vm: Vm, disk: DomainDisk, { volumes, holder }: HotplugOptions) {
  const { name, source } = disk;
  if (await pluggedIn(vm, name)) return;
  if (source.kind !== "file") {
    throw badRequest(`volume ${name}: only claims with a file system can be plugged in`);
  }
  const where = await place(vm, disk);
  const folder = await volumes.folder(holder, name);
  const file = fileIn(folder, source.file);
  await chown(file, qemuUser, qemuUser);
  await show(vm, name, folder);
  const inside = join(vm.options.inside, "hotplug", name, file.slice(realpathSync(folder).length));
  const prepared = { disk, path: inside, driver: "file", format: "raw" } as const;
  try {
    await vm.qmp.execute("blockdev-add", blockdev(prepared));
    try {
      await vm.qmp.execute("device_add", diskDeviceOf(disk, where));
    } catch (error) {
      await vm.qmp.execute("blockdev-del", { "node-name": blockNode(name) });
      throw error;
    }
  } catch (error) {
    await hide(vm, name);
    throw error;
  }
  vm.options.changed();
}

export async function pluggedIn(vm: Vm, volume: string): Promise<boolean> {
  const blocks: any[] = await vm.qmp.execute("query-block");
  return blocks.some(({ qdev }) => String(qdev).includes(diskDevice(volume)));
}

/** Resolves when the guest has let go; a guest that does not is left its disk. */
function untilDeleted(vm: Vm, device: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => {
      stop();
      cancel();
      finish();
    };
    const stop = vm.onEvent(({ event, data }) => {
      if (event === "DEVICE_DELETED" && data?.device === device) end(resolve);
    });
    const cancel = vm.options.clock.after(unplugMsMax, () =>
      end(() => reject(new StatusError("Timeout", "the guest does not let go of the disk"))),
    );
  });
}

export async function hotunplug(vm: Vm, volume: string, _volumes: HolderVolumes) {
  if (!(await pluggedIn(vm, volume))) return hide(vm, volume);
  const device = diskDevice(volume);
  const gone = untilDeleted(vm, device);
  gone.catch(() => {});
  await vm.qmp.execute("device_del", { id: device });
  await gone;
  await vm.qmp.execute("blockdev-del", { "node-name": blockNode(volume) });
  await hide(vm, volume);
  vm.options.changed();
}

/** Never smaller: that would be for the guest to want. */
export async function resizeDisk(vm: Vm, volume: string, bytes: number) {
  const nodes: any[] = await vm.qmp.execute("query-named-block-nodes", { flat: true });
  const disk = nodes.find((one) => one["node-name"] === blockNode(volume));
  if (!disk || disk.ro || disk.image["virtual-size"] >= bytes) return;
  await forgetChanges(vm, volume);
  await vm.qmp.execute("block_resize", { "node-name": blockNode(volume), size: bytes });
}
