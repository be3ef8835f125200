// What was written since a copy had all: QEMU's dirty bitmaps of the writer's disk, one after another for each copy.
// The oldest of a copy tells all that it may lack, if its number is not 0: that one tells nothing, and stands before
// others until the copy is whole. A later one begins with what is written from then on; it takes the place of the one
// before when nothing is on its way to any copy, as whatever is not in it is then in all of them. "behind" stands while a
// copy has not got what it missed, though its mirror writes to it.
import { jobs } from "../jobs.ts";
import type { Job } from "../jobs.ts";
import type { Vm } from "../vm.ts";
import { blockNode } from "../../qemu/disk-arguments.ts";
import { jobsOf } from "./names.ts";
import { blockNodes } from "./block-nodes.ts";

/** One that tells of more is followed by another. */
const changedBytesMax = 16 * 2 ** 20;

interface Bitmap {
  name: string;
  /** Of bytes. */
  count: number;
}

/** Of a copy, by the export that it was written to by: where something else wrote to it, another. */
const nameOf = (node: string, writer: string, what: number | "behind") =>
  `${node}/${writer}/${what}`;
const numberOf = ({ name }: Bitmap) => Number(name.slice(name.lastIndexOf("/") + 1));

/** QEMU's mirrors have some without a name. */
function bitmapsIn(nodes: any[], volume: string): Bitmap[] {
  const disk = nodes.find((one) => one["node-name"] === blockNode(volume));
  return (disk?.["dirty-bitmaps"] ?? []).filter(({ name }: Partial<Bitmap>) => name);
}

/** The oldest first. */
const ofCopy = (all: Bitmap[], node: string, writer: string) =>
  all
    .filter((one) => one.name.startsWith(`${node}/${writer}/`) && numberOf(one) >= 0)
    .sort((a, b) => numberOf(a) - numberOf(b));

const at = (vm: Vm, volume: string) => ({
  add: (name: string, more: object = {}) =>
    vm.qmp.execute("block-dirty-bitmap-add", { node: blockNode(volume), name, ...more }),
  remove: ({ name }: Pick<Bitmap, "name">) =>
    vm.qmp.execute("block-dirty-bitmap-remove", { node: blockNode(volume), name }),
});

/** Tells all that a copy lacks which was opened by these exports; undefined where that is not known. */
async function changesSince(vm: Vm, volume: string, node: string, writers: string[]) {
  const all = bitmapsIn(await blockNodes(vm), volume);
  // By one that is not known nobody wrote from here, and nobody else writes as long as this QEMU does.
  const [oldest] = writers.map((one) => ofCopy(all, node, one)).find(({ length }) => length) ?? [];
  return oldest && numberOf(oldest) > 0 ? oldest : undefined;
}

export interface Changes {
  name: string;
  bytes: number;
}

/** Nodes whose copies have not got what they missed. */
export const behind = (nodes: any[], volume: string): string[] =>
  bitmapsIn(nodes, volume)
    .map(({ name }) => name.split("/"))
    .filter(([, , what]) => what === "behind")
    .map(([node]) => node!);

export async function caughtUp(vm: Vm, volume: string, node: string) {
  const all = bitmapsIn(await blockNodes(vm), volume);
  const [mark] = all.filter(({ name }) => name.startsWith(`${node}/`) && name.endsWith("/behind"));
  if (mark) await at(vm, volume).remove(mark);
}

/**
 * Before a copy is written to by export `name`: what is written is recorded from now on, and with it what is known of
 * the time since `before`. Resolves with that, where the copy lacks nothing else.
 */
export async function record(
  vm: Vm,
  volume: string,
  copy: { node: string; name: string; before: string[]; sync: "none" | "full"; isWhole: boolean },
): Promise<Changes | undefined> {
  const { node, name: writer, before, sync, isWhole } = copy;
  const { add, remove } = at(vm, volume);
  const known =
    sync === "full" && !isWhole ? await changesSince(vm, volume, node, before) : undefined;
  const [none, first] = [nameOf(node, writer, 0), nameOf(node, writer, 1)];
  if (sync === "full") await add(none, { disabled: true });
  await add(first);
  if (known) {
    await merge(vm, { from: volume, name: known.name }, { node: blockNode(volume), name: first });
    await add(nameOf(node, writer, "behind"), { disabled: true });
    await remove({ name: none });
  }
  const old = bitmapsIn(await blockNodes(vm), volume).filter(
    ({ name }) => name.startsWith(`${node}/`) && !name.startsWith(`${node}/${writer}/`),
  );
  for (const one of old) await remove(one);
  return known && { name: first, bytes: known.count };
}

export const merge = (
  vm: Vm,
  { from, name }: { from: string; name: string },
  target: { node: string; name: string },
) =>
  vm.qmp.execute("block-dirty-bitmap-merge", {
    ...{ node: target.node, target: target.name },
    bitmaps: [{ node: blockNode(from), name }],
  });

const isIdle = (job: Job) => !job.error && job["current-progress"] === job["total-progress"];

/** `alike`: nodes whose copies have all. */
export async function followChanges(vm: Vm, volume: string, alike: string[]) {
  const { add, remove } = at(vm, volume);
  const all = bitmapsIn(await blockNodes(vm), volume);
  // Asked after the bitmaps.
  const now = await jobs(vm);
  const isStill = now.filter(({ id }) => id.startsWith(jobsOf(volume))).every(isIdle);
  for (const node of alike) {
    const [, writer = ""] =
      all.find(({ name }) => name.startsWith(`${node}/`))?.name.split("/") ?? [];
    const [oldest, next] = ofCopy(all, node, writer);
    if (!oldest) continue;
    if (next && isStill) await remove(oldest);
    if (!next && oldest.count > changedBytesMax) {
      await add(nameOf(node, writer, numberOf(oldest) + 1));
    }
  }
}

/** Its size changes. */
export async function forgetChanges(vm: Vm, volume: string) {
  const { remove } = at(vm, volume);
  for (const one of bitmapsIn(await blockNodes(vm), volume)) await remove(one);
}
