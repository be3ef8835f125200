// A copy that was away gets what changed meanwhile, as QEMU's dirty bitmap tells, by QEMU's backup, while its mirror
// writes there whatever the guest writes from now on. The backup is above the mirror: a block that it has not copied
// yet is copied before the guest's write to it goes on, so nothing old arrives after something new.
import type { CopyAttachment } from "../../control.ts";
import type { DomainDisk } from "../../domain.ts";
import { blockNode } from "../../qemu/disk-arguments.ts";
import { endJob, jobs } from "../jobs.ts";
import type { Vm } from "../vm.ts";
import { caughtUp, merge } from "./changes.ts";
import { dropLayers, freeNode } from "./layers.ts";
import { catchUpJobOf, catchUpLinkNode, catchUpNode, keyOf } from "./names.ts";
import { stateOf } from "./state.ts";
import { blockNodes } from "./block-nodes.ts";

/** Ten years: nothing but us lets a copy go. */
const waitSeconds = 315_360_000;

export const linkTo = (
  vm: Vm,
  { host, port, name }: CopyAttachment,
  { id, node, link }: { id: string; node: string; link: string },
) =>
  vm.qmp.execute("blockdev-add", {
    driver: "raw",
    "node-name": node,
    file: {
      driver: "nbd",
      "node-name": link,
      server: { type: "inet", host, port: String(port) },
      export: name,
      "tls-creds": id,
      "reconnect-delay": waitSeconds,
    },
  });

/**
 * Where the copy fails once more, so does a write of the guest that waits for it: QEMU repeats it once the copy is let
 * go, if the guest is not to be told of errors.
 */
export const canCatchUp = ({ errorPolicy = "stop" }: DomainDisk) => errorPolicy === "stop";

const filterNode = (volume: string, node: string) => blockNode(`backup of ${volume} to ${node}`);
/** Of the layer that the backup reads. */
const missed = (volume: string, node: string) => `missed-${blockNode(`${volume} on ${node}`)}`;

/** `changes`: the bitmap of all that it missed until the mirror began. */
export async function catchUp(
  vm: Vm,
  volume: string,
  { target, changes }: { target: CopyAttachment; changes: string },
) {
  const { node } = target;
  stateOf(vm).catchingUp.set(filterNode(volume, node), volume);
  const [copy, link] = [catchUpNode(volume, node), catchUpLinkNode(volume, node)];
  await linkTo(vm, target, { id: keyOf(volume, node), node: copy, link });
  const device = await freeNode(vm, volume);
  const bitmap = missed(volume, node);
  await vm.qmp.execute("block-dirty-bitmap-add", { node: device, name: bitmap });
  await merge(vm, { from: volume, name: changes }, { node: device, name: bitmap });
  await vm.qmp.execute("blockdev-backup", {
    ...{ "job-id": catchUpJobOf(volume, node), device, target: copy },
    ...{ sync: "bitmap", bitmap, "bitmap-mode": "never" },
    "filter-node-name": filterNode(volume, node),
    ...{ "on-target-error": "report", "auto-dismiss": false },
  });
}

/** Nothing waits for this link any more. */
export const yank = (vm: Vm, link: string) =>
  vm.urgent
    .urge("yank", { instances: [{ type: "block-node", "node-name": link }] })
    .catch(() => {});

/** Whether it came to its end or not. */
export async function endCatchUp(vm: Vm, volume: string, node: string) {
  await endJob(vm, catchUpJobOf(volume, node));
  const nodes = await blockNodes(vm);
  const name = missed(volume, node);
  for (const one of nodes) {
    const bitmaps: any[] = one["dirty-bitmaps"] ?? [];
    if (!bitmaps.some((bitmap) => bitmap.name === name)) continue;
    await vm.qmp.execute("block-dirty-bitmap-remove", { node: one["node-name"], name });
  }
  const copy = catchUpNode(volume, node);
  if (nodes.some((one) => one["node-name"] === copy)) {
    // All that it was sent is on its disk. QEMU would wait for one that is away now.
    await yank(vm, catchUpLinkNode(volume, node));
    await vm.qmp.execute("blockdev-del", { "node-name": copy });
  }
  stateOf(vm).catchingUp.delete(filterNode(volume, node));
}

/** Kerb knows it after a restart, too. */
export function isCatchingUp(vm: Vm, volume: string, node: string): "syncing" {
  stateOf(vm).catchingUp.set(filterNode(volume, node), volume);
  return "syncing";
}

/** The copy has all that it missed. */
export const finishCatchUp = (vm: Vm, volume: string, node: string) =>
  stateOf(vm).turn(async () => {
    const job = (await jobs(vm)).find(({ id }) => id === catchUpJobOf(volume, node));
    if (job?.status !== "concluded" || job.error) return;
    // First, as its job tells that it is so.
    await caughtUp(vm, volume, node);
    await endCatchUp(vm, volume, node);
    await dropLayers(vm, volume);
  });
