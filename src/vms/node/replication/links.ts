// The copies of a VM's disk on other nodes, from the writer's side: QEMU mirrors each write before it acknowledges it.
// While a copy is away, writes wait; they go on without it only when it is let go, which is recorded before.
import { StatusError } from "../../../lib/status-error.ts";
import type { CopyAttachment, CopyFilling } from "../../control.ts";
import { blockNode } from "../../qemu/disk-arguments.ts";
import { endJob, jobs } from "../jobs.ts";
import { sharedKey } from "../shared-key.ts";
import type { Vm } from "../vm.ts";
import { canCatchUp, catchUp, endCatchUp, linkTo, yank } from "./catch-up.ts";
import { record } from "./changes.ts";
import { isThere } from "./greeting.ts";
import { isHeld } from "./held.ts";
import { dropLayers, freeNode, mirrorNode } from "./layers.ts";
import { catchUpLinkNode, copyNode, jobOf, jobsOf, keyOf, linkNode } from "./names.ts";
import { goOn } from "./standing-still.ts";
import { stateOf } from "./state.ts";
import { blockNodes } from "./block-nodes.ts";

export async function attach(vm: Vm, volume: string, target: CopyAttachment): Promise<CopyFilling> {
  await detach(vm, volume, [target.node]);
  const state = stateOf(vm);
  state.linking++;
  try {
    return await state.turn(() => link(vm, volume, target));
  } finally {
    state.linking--;
  }
}

async function sizeOf(vm: Vm, volume: string): Promise<number> {
  const disk = (await blockNodes(vm)).find((one) => one["node-name"] === blockNode(volume));
  return disk.image["virtual-size"];
}

async function link(vm: Vm, volume: string, target: CopyAttachment): Promise<CopyFilling> {
  const { node, host, key, sync } = target;
  const { run, inside, clock } = vm.options;
  if (sync === "none" && !isHeld(vm)) {
    throw new StatusError("Conflict", "the guest has written since the copies were the same");
  }
  // QEMU stands still while it dials.
  if (!(await isThere(host, clock))) throw new StatusError("ServiceUnavailable", "no copy there");
  const id = keyOf(volume, node);
  const credentials = { run, inside, id, key, endpoint: "client" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
  try {
    await linkTo(vm, target, {
      ...{ id, node: copyNode(volume, node), link: linkNode(volume, node) },
    });
    stateOf(vm).ends.delete(jobOf(volume, node));
    const disk = vm.domain.disks.find((one) => one.name === volume)!;
    const changes = await record(vm, volume, { ...target, isWhole: !canCatchUp(disk) });
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": jobOf(volume, node),
      device: await freeNode(vm, volume),
      target: copyNode(volume, node),
      "filter-node-name": mirrorNode(volume, node),
      ...{ sync: changes ? "none" : sync, "copy-mode": "write-blocking" },
      ...{ "on-target-error": "report", "auto-dismiss": false },
    });
    if (changes) await catchUp(vm, volume, { target, changes: changes.name });
    if (changes) return { bytes: changes.bytes, isPart: true };
    return { bytes: sync === "none" ? 0 : await sizeOf(vm, volume), isPart: false };
  } catch (error) {
    await letGo(vm, volume, [node]);
    throw error;
  }
}

/** Writes that waited for these copies are acknowledged by this. Whatever else waits for them goes on first. */
export async function detach(vm: Vm, volume: string, nodes: string[]) {
  const { ends, turn } = stateOf(vm);
  for (const node of nodes) {
    ends.add(jobOf(volume, node));
    await yank(vm, linkNode(volume, node));
    await yank(vm, catchUpLinkNode(volume, node));
  }
  await turn(() => letGo(vm, volume, nodes));
}

async function letGo(vm: Vm, volume: string, nodes: string[]) {
  for (const node of nodes) {
    await endCatchUp(vm, volume, node);
    await endJob(vm, jobOf(volume, node));
    const name = copyNode(volume, node);
    const there = (await blockNodes(vm)).some((one) => one["node-name"] === name);
    if (there) await vm.qmp.execute("blockdev-del", { "node-name": name });
    await vm.qmp.execute("object-del", { id: keyOf(volume, node) }).catch(() => {});
  }
  await dropLayers(vm, volume);
  const left = (await jobs(vm)).filter(({ id }) => id.startsWith(jobsOf(volume)));
  if (left.every(({ error }) => !error)) await goOn(vm, volume);
}
