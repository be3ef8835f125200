import assert from "node:assert/strict";
import { test } from "node:test";
import { blockNode } from "../../qemu/disk-arguments.ts";
import type { Vm } from "../vm.ts";
import { behind, caughtUp, followChanges, forgetChanges, record } from "./changes.ts";
import { jobOf } from "./names.ts";

interface Bitmap {
  name?: string;
  count: number;
}

/** QEMU's part of it: bitmaps of one disk, and the jobs of its copies. */
class Qemu {
  bitmaps: Bitmap[] = [{ count: 9 }];
  jobs: object[] = [];
  readonly #disk = blockNode("data");

  execute = async (command: string, args: any = {}): Promise<any> => {
    if (command === "query-jobs") return this.jobs;
    if (command === "query-named-block-nodes") {
      return [{ "node-name": this.#disk, "dirty-bitmaps": this.bitmaps }, { "node-name": "other" }];
    }
    assert.equal(args.node, this.#disk);
    if (command === "block-dirty-bitmap-add") this.bitmaps.push({ name: args.name, count: 0 });
    if (command === "block-dirty-bitmap-remove") {
      assert.ok(this.find(args.name));
      this.bitmaps = this.bitmaps.filter(({ name }) => name !== args.name);
    }
    if (command === "block-dirty-bitmap-merge") {
      this.find(args.target)!.count += this.find(args.bitmaps[0].name)!.count;
    }
  };

  find = (wanted: string) => this.bitmaps.find(({ name }) => name === wanted);
  names = () => this.bitmaps.flatMap(({ name }) => name ?? []);
  vm = { qmp: this } as unknown as Vm;

  job(node: string, isIdle: boolean, error?: string) {
    const progress = { "current-progress": isIdle ? 5 : 4, "total-progress": 5 };
    return { id: jobOf("data", node), status: "ready", ...progress, ...(error && { error }) };
  }
}

const copy = { node: "b", sync: "full", isWhole: false, before: [] as string[] } as const;

test("a copy that is the same is followed from its first write on", async () => {
  const qemu = new Qemu();
  assert.equal(await record(qemu.vm, "data", { ...copy, name: "w1", sync: "none" }), undefined);
  assert.deepEqual(qemu.names(), ["b/w1/1"]);
  qemu.find("b/w1/1")!.count = 7;
  const known = await record(qemu.vm, "data", { ...copy, name: "w2", before: ["w1"] });
  assert.deepEqual(known, { name: "b/w2/1", bytes: 7 });
  assert.equal(qemu.find("b/w2/1")!.count, 7);
  assert.deepEqual(qemu.names().sort(), ["b/w2/1", "b/w2/behind"]);
});

test("a copy is behind until it has got what it missed", async () => {
  const qemu = new Qemu();
  await record(qemu.vm, "data", { ...copy, name: "w1", sync: "none" });
  await record(qemu.vm, "data", { ...copy, name: "w2", before: ["w1"] });
  const nodes = await qemu.execute("query-named-block-nodes");
  assert.deepEqual(behind(nodes, "data"), ["b"]);
  await caughtUp(qemu.vm, "data", "b");
  assert.deepEqual(qemu.names(), ["b/w2/1"]);
});

test("a copy is sent whole where it is not known what it lacks", async () => {
  const rows: [string, Partial<{ before: string[]; isWhole: boolean }>][] = [
    ["nobody says who wrote to it", {}],
    ["somebody else wrote to it", { before: ["x"] }],
    ["it had not all when it was lost", { before: ["w2", "w1"] }],
    ["the guest would be told", { before: ["w1"], isWhole: true }],
  ];
  for (const [why, more] of rows) {
    const qemu = new Qemu();
    await record(qemu.vm, "data", { ...copy, name: "w1", sync: "none" });
    if (more.before?.includes("w2")) await record(qemu.vm, "data", { ...copy, name: "w2" });
    assert.equal(await record(qemu.vm, "data", { ...copy, name: "w3", ...more }), undefined, why);
    assert.deepEqual(qemu.names().sort(), ["b/w3/0", "b/w3/1"], why);
  }
});

test("exports to which nobody came do not hide the one before", async () => {
  const qemu = new Qemu();
  await record(qemu.vm, "data", { ...copy, name: "w1", sync: "none" });
  const known = await record(qemu.vm, "data", { ...copy, name: "w4", before: ["w3", "w2", "w1"] });
  assert.equal(known?.name, "b/w4/1");
});

test("a record is followed by a shorter one while nothing is on its way", async () => {
  const qemu = new Qemu();
  await record(qemu.vm, "data", { ...copy, name: "w1" });
  const follow = (...alike: string[]) => followChanges(qemu.vm, "data", alike);
  qemu.jobs = [qemu.job("b", true)];
  await follow();
  assert.deepEqual(qemu.names(), ["b/w1/0", "b/w1/1"], "it has not all yet");
  qemu.jobs = [qemu.job("b", true), qemu.job("c", false)];
  await follow("b");
  assert.deepEqual(qemu.names(), ["b/w1/0", "b/w1/1"], "a write is on its way");
  qemu.jobs = [qemu.job("b", true), qemu.job("c", true, "lost")];
  await follow("b");
  assert.deepEqual(qemu.names(), ["b/w1/0", "b/w1/1"], "a write failed");
  qemu.jobs = [qemu.job("b", true)];
  await follow("b");
  assert.deepEqual(qemu.names(), ["b/w1/1"]);
  qemu.find("b/w1/1")!.count = 17 * 2 ** 20;
  for (const left of [["b/w1/1", "b/w1/2"], ["b/w1/2"], ["b/w1/2"]]) {
    await follow("b");
    assert.deepEqual(qemu.names(), left);
  }
});

test("nothing is known any more of a disk whose size changes", async () => {
  const qemu = new Qemu();
  await record(qemu.vm, "data", { ...copy, name: "w1" });
  await forgetChanges(qemu.vm, "data");
  assert.deepEqual(qemu.bitmaps, [{ count: 9 }]);
});
