import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Shortage } from "./full-disk.ts";
import type { Vm } from "./vm.ts";
import { noSpace } from "./vm.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-room-"));
after(() => rmSync(folder, { recursive: true }));

const stopped = (stopReason: string) => {
  const asked: string[] = [];
  const qmp = { execute: async (command: string) => void asked.push(command) };
  return { asked, vm: { stopReason, qmp, options: { notes: folder } } as unknown as Vm };
};
const here = async () => [join(folder, "none"), folder];

test("a guest that a full disk stopped goes on where there is room, and no other does", async () => {
  for (const [why, commands] of [
    [noSpace, ["cont"]],
    ["Input/output error", []],
    ["", []],
  ] as const) {
    const { vm, asked } = stopped(why);
    assert.equal(await new Shortage().look(vm, here, 0), false);
    assert.deepEqual(asked, commands, why);
  }
});

test("one that stops again although there is room waits for more of it", async () => {
  const { vm, asked } = stopped(noSpace);
  let free = 2 ** 20;
  const shortage = new Shortage(async () => free);
  await shortage.look(vm, here, 0);
  for (const now of [1000, 60_000]) assert.ok(await shortage.look(vm, here, now));
  assert.deepEqual(asked, ["cont"]);
  free *= 2;
  assert.equal(await shortage.look(vm, here, 62_000), false);
  assert.deepEqual(asked, ["cont", "cont"]);
});
