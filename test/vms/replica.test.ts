// A guest whose disk has a copy that QEMU's storage daemon keeps, as on another node. The guest's writer is the
// judge: what it was told to be written is in every copy that was not let go.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { replicaPart } from "../../src/vms/node/replicas.ts";
import { replicaArguments } from "../../src/vms/prepare/prepare-replica.ts";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-replica-test-"));
const [here, there, run] = ["here", "there", "run"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const bytes = 4 * 2 ** 20;
const [blockBytes, blocks] = [512, 1000];

let one: QemuVm;
let daemon: ChildProcess;
const volumes = { folder: async () => there };
const part = replicaPart({
  ...{ run: () => run, inside: run, volumes, directory: folder },
  file: join(there, "disk.img"),
});

function startDaemon() {
  rmSync(join(run, "qmp"), { force: true });
  const [command, ...args] = replicaArguments(run);
  daemon = spawn(command!, args, { stdio: "inherit" });
}
async function stopDaemon() {
  const ended = once(daemon, "exit");
  daemon.kill("SIGKILL");
  await ended;
}

before(async () => {
  for (const path of [here, there, run]) mkdirSync(path);
  writeFileSync(join(here, "disk.img"), Buffer.alloc(bytes));
  startDaemon();
  one = await QemuVm.start(guestFiles(folder), {
    guest: "run=write",
    devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    folders: { data: here },
    isReplicated: true,
  });
});
after(async () => {
  await one.stop();
  await stopDaemon();
  rmSync(folder, { recursive: true, force: true });
});

const serve = async () => ({
  host: "127.0.0.1",
  ...((await eventually(
    () => part.ask({ method: "serve", podUid: "r", bytes }),
    "the copy",
  )) as any),
});
const link = async () => (await one.answers().viewCopy("data", "127.0.0.1")).link;
const isLinked = async (word: string) => (await link()) === word;
const written = () => [...one.said.matchAll(/GUEST wrote (\d+)/g)].map(([, n]) => Number(n));
const untilMore = (count = 5) => {
  const known = written().length;
  return untilGuest(async () => written().length >= known + count, "further writes");
};

/** Blocks that the guest was told to be written, and that a copy has not. */
function lost(copy: string): number[] {
  const newest = new Map(written().map((n) => [n % blocks, n]));
  const data = readFileSync(join(copy, "disk.img"));
  return [...newest].flatMap(([at, n]) => {
    const text = data.toString("latin1", at * blockBytes, (at + 1) * blockBytes);
    const [, line = "", sum] = /^(\d{8}) ([0-9a-f]{8})/.exec(text) ?? [];
    const right = createHash("md5").update(line).digest("hex").slice(0, 8);
    return sum === right && Number(line) >= n ? [] : [n];
  });
}

test("a guest waits until it is known where it writes, and then every write is in both copies", async () => {
  await eventually(async () => one.vm.status === "prelaunch", "QEMU");
  await assert.rejects(one.answers().unpause(), /waits for its replicated disks/);
  await one.answers().attachCopy("data", { ...(await serve()), sync: "none" });
  assert.equal(await link(), "alike");
  await one.answers().release();
  await untilMore(20);
  assert.deepEqual(lost(there), []);
  assert.ok((await one.answers().viewCopy("data", "127.0.0.1")).isReleased);
});

test("nothing is acknowledged while a copy does not answer, until it is let go", async () => {
  for (const [word, cut, mend] of [
    ["silent", () => daemon.kill("SIGSTOP"), () => daemon.kill("SIGCONT")],
    ["silent", stopDaemon, startDaemon],
  ] as const) {
    await cut();
    await eventually(() => isLinked(word), "the silence");
    const before = written().length;
    await setTimeout(1500);
    assert.equal(written().length, before);
    assert.deepEqual(lost(there), []);
    await one.answers().detachCopy("data");
    assert.equal(await link(), "none");
    await untilMore();
    mend();
    const target = await serve();
    await one.answers().attachCopy("data", { ...target, sync: "full" });
    await eventually(() => isLinked("alike"), "the copy");
    await untilMore();
    assert.deepEqual(lost(there), []);
  }
});

test("a copy is let go also when QEMU itself waits for it", async () => {
  daemon.kill("SIGSTOP");
  await eventually(() => isLinked("silent"), "the silence");
  const stopped = one.vm.qmp.execute("stop");
  assert.equal(await link(), "silent");
  await one.answers().detachCopy("data");
  await stopped;
  await one.vm.qmp.execute("cont");
  await untilMore();
  daemon.kill("SIGCONT");
  await one.answers().attachCopy("data", { ...(await serve()), sync: "full" });
  await eventually(() => isLinked("alike"), "the copy");
  await assert.rejects(
    one.answers().attachCopy("data", { ...(await serve()), sync: "none" }),
    /has written since/,
  );
  await one.answers().attachCopy("data", { ...(await serve()), sync: "full" });
  await eventually(() => isLinked("alike"), "the copy");
});

test("a copy that is given to another writer takes nothing more from the one before", async () => {
  await part.ask({ method: "close", podUid: "r" });
  const before = written().length;
  await eventually(() => isLinked("silent"), "the silence");
  await serve();
  await setTimeout(1500);
  assert.ok(written().length <= before + 1, "a write without the copy was acknowledged");
  assert.deepEqual(lost(there), []);
});
