// A guest that moves leaves its copies the same, and goes on where one of them is.
import { StatusError } from "../../../lib/status-error.ts";
import { concluded, jobs } from "../jobs.ts";
import type { Job } from "../jobs.ts";
import { isSwitching, noteSwitching } from "../switching.ts";
import type { Vm } from "../vm.ts";
import { behind } from "./changes.ts";
import { isHeld } from "./held.ts";
import { dropLayers } from "./layers.ts";
import { copyNode, jobOf, jobsOf, keyOf, replicatedDisks } from "./names.ts";
import { standStill } from "./standing-still.ts";
import { isWhole } from "./view.ts";
import { blockNodes } from "./block-nodes.ts";

const isOf =
  (volume: string, node: string) =>
  ({ id }: Job) =>
    id === jobOf(volume, node);

/**
 * Of a guest that stands still to go on elsewhere: whatever it wrote is in all copies, and nobody writes any more.
 * `endMirrors` ends those of disks that go along.
 */
export async function letGoWhole(vm: Vm, endMirrors: () => Promise<void>) {
  const volumes = replicatedDisks(vm);
  const all = await jobs(vm);
  const nodes = await blockNodes(vm);
  const copiesOf = (volume: string) => all.filter(({ id }) => id.startsWith(jobsOf(volume)));
  for (const volume of isSwitching(vm) ? [] : volumes) {
    const copies = copiesOf(volume);
    const isLate = behind(nodes, volume).some((node) => copies.some(isOf(volume, node)));
    if (copies.length > 0 && copies.every(isWhole) && !isLate) continue;
    throw new StatusError("Conflict", `the copies of ${volume} do not have all`);
  }
  noteSwitching(vm, true);
  await endMirrors();
  for (const volume of volumes) {
    for (const { id } of copiesOf(volume)) await letGo(vm, volume, id);
    await dropLayers(vm, volume);
  }
}

async function letGo(vm: Vm, volume: string, device: string) {
  const node = device.slice(jobsOf(volume).length);
  // It may be over, where Kerb was started anew meanwhile.
  await vm.qmp.execute("block-job-cancel", { device, force: false }).catch(() => {});
  await concluded(vm, device);
  const job = (await jobs(vm)).find(({ id }) => id === device);
  if (job?.error) throw new StatusError("Conflict", `the copy of ${volume}: ${job.error}`);
  await vm.qmp.execute("job-dismiss", { id: device });
  await vm.qmp.execute("blockdev-del", { "node-name": copyNode(volume, node) });
  await vm.qmp.execute("object-del", { id: keyOf(volume, node) }).catch(() => {});
}

/** It does not move after all. False where no copies were let go, so that it may go on at once. */
export function stays(vm: Vm): boolean {
  if (!isSwitching(vm)) return false;
  noteSwitching(vm, false);
  const volumes = replicatedDisks(vm);
  if (volumes.length > 0) standStill(vm, volumes);
  return volumes.length > 0;
}

/** QEMU says nothing of it by itself. */
export async function hasArrived(vm: Vm): Promise<boolean> {
  if (!vm.domain.incoming || !isHeld(vm)) return false;
  const { status } = await vm.qmp.execute("query-status");
  if (status === "inmigrate") return false;
  vm.status = "prelaunch";
  return true;
}
