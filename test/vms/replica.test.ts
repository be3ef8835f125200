// A guest whose disk has copies that QEMU's storage daemons keep, as on other nodes. The guest's writer is the judge:
// what it was told to be written is in every copy that was not let go.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { replicaPart } from "../../src/vms/node/replicas.ts";
import { blockNode } from "../../src/vms/qemu/disk-arguments.ts";
import { replicaArguments } from "../../src/vms/prepare/prepare-replica.ts";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-replica-test-"));
const here = join(folder, "here");
const bytes = 8 * 2 ** 20;
const [blockBytes, blocks] = [512, 1000];
const guestBytes = 2 ** 20;

/** Another node with a copy, and the daemon that keeps it. */
class Keeper {
  readonly node: string;
  readonly host: string;
  readonly folder: string;
  readonly run: string;
  daemon: ChildProcess;
  readonly part;

  constructor(node: string, host: string) {
    this.node = node;
    this.host = host;
    this.folder = join(folder, node);
    this.run = join(folder, `${node}-run`);
    for (const path of [this.folder, this.run]) mkdirSync(path);
    this.daemon = this.start();
    this.part = replicaPart({
      ...{ run: () => this.run, inside: this.run, directory: folder, listen: host },
      ...{ volumes: { folder: async () => this.folder }, file: join(this.folder, "disk.img") },
    });
  }

  start() {
    rmSync(join(this.run, "qmp"), { force: true });
    const [command, ...args] = replicaArguments(this.run);
    this.daemon = spawn(command!, args, { stdio: "inherit" });
    return this.daemon;
  }

  async kill() {
    const ended = once(this.daemon, "exit");
    this.daemon.kill("SIGKILL");
    await ended;
  }

  async serve(): Promise<any> {
    const question = { method: "serve", podUid: "r", bytes } as const;
    return eventually(() => this.part.ask(question), "the copy");
  }

  async attach(sync: "none" | "full") {
    const { node, host } = this;
    return one.answers().attachCopy("data", { node, host, sync, ...(await this.serve()) });
  }

  close() {
    return this.part.ask({ method: "close", podUid: "r" });
  }

  is(link: string) {
    const why = `the copy on ${this.node} is ${link}`;
    return eventually(async () => (await view()).links[this.node] === link, why);
  }
}

let one: QemuVm;
let there: Keeper;
let far: Keeper;

before(async () => {
  mkdirSync(here);
  // Of its own: others on this machine may keep copies, too.
  const network = `127.${process.pid >> 16}.${(process.pid >> 8) & 255}`;
  there = new Keeper("there", `${network}.${(process.pid & 127) + 1}`);
  far = new Keeper("far", `${network}.${(process.pid & 127) + 128}`);
  // What the guest does not write to is in all of them from the beginning.
  const disk = Buffer.concat([Buffer.alloc(guestBytes), randomBytes(bytes - guestBytes)]);
  for (const place of [here, there.folder, far.folder])
    writeFileSync(join(place, "disk.img"), disk);
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
  for (const keeper of [there, far]) await keeper.kill();
  rmSync(folder, { recursive: true, force: true });
});

const view = () => {
  const hosts = [there, far].map(({ node, host }) => [node, host] as const);
  return one.answers().viewCopies("data", Object.fromEntries(hosts));
};
const detach = (...keepers: Keeper[]) =>
  one.answers().detachCopies(
    "data",
    keepers.map(({ node }) => node),
  );
const written = () => [...one.said.matchAll(/GUEST wrote (\d+)/g)].map(([, n]) => Number(n));
const untilMore = (count = 5) => {
  const known = written().length;
  return untilGuest(async () => written().length >= known + count, "further writes");
};

/** Blocks that the guest was told to be written, and that a copy has not. */
function lost({ folder: copy }: Keeper): number[] {
  const newest = new Map(written().map((n) => [n % blocks, n]));
  const data = readFileSync(join(copy, "disk.img"));
  return [...newest].flatMap(([at, n]) => {
    const text = data.toString("latin1", at * blockBytes, (at + 1) * blockBytes);
    const [, line = "", sum] = /^(\d{8}) ([0-9a-f]{8})/.exec(text) ?? [];
    const right = createHash("md5").update(line).digest("hex").slice(0, 8);
    return sum === right && Number(line) >= n ? [] : [n];
  });
}

const hasAll = (...keepers: Keeper[]) => {
  for (const keeper of keepers) assert.deepEqual(lost(keeper), [], keeper.node);
};

/** Byte by byte. */
async function isSame(...keepers: Keeper[]) {
  await one.vm.qmp.execute("stop");
  const disk = readFileSync(join(here, "disk.img"));
  for (const { node, folder: copy } of keepers) {
    assert.ok(disk.equals(readFileSync(join(copy, "disk.img"))), `the copy on ${node}`);
  }
  await one.vm.qmp.execute("cont");
}

/** What the daemon wrote to its disk, by the kernel's account. */
const bytesWritten = ({ daemon }: Keeper) => {
  const [, count] = /^wchar: (\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/io`, "utf8"))!;
  return Number(count);
};

test("a guest waits until it is known where it writes, and then every write is in all copies", async () => {
  await eventually(async () => one.vm.status === "prelaunch", "QEMU");
  await assert.rejects(one.answers().unpause(), /waits for its replicated disks/);
  for (const keeper of [there, far]) await keeper.attach("none");
  assert.deepEqual((await view()).links, { there: "alike", far: "alike" });
  await one.answers().release();
  await untilMore(20);
  hasAll(there, far);
  assert.ok((await view()).isReleased);
});

test("nothing is acknowledged while a copy does not answer, until it is let go", async () => {
  for (const [lame, well, isKilled] of [
    [there, far, false],
    [far, there, true],
    [there, far, true],
    [there, far, false],
    [far, there, false],
  ] as const) {
    if (isKilled) await lame.kill();
    else lame.daemon.kill("SIGSTOP");
    await lame.is("silent");
    const before = written().length;
    await setTimeout(1500);
    assert.equal(written().length, before);
    hasAll(there, far);
    await detach(lame);
    assert.deepEqual((await view()).links, { [lame.node]: "none", [well.node]: "alike" });
    await untilMore();
    hasAll(well);
    if (isKilled) lame.start();
    else lame.daemon.kill("SIGCONT");
    const filling = await lame.attach("full");
    assert.ok(filling.isPart && filling.bytes <= guestBytes, JSON.stringify(filling));
    await lame.is("alike");
    await untilMore();
    hasAll(there, far);
    await isSame(there, far);
  }
});

test("a copy that is lost while it gets what it missed costs the guest no write", async () => {
  const { qmp } = one.vm;
  const execute = qmp.execute.bind(qmp);
  // So slow that the guest comes to what is not copied yet: where it writes to is copied last.
  const slow = { speed: 1, "x-perf": { "max-workers": 1, "max-chunk": 65_536 } };
  // Nothing was sent whole yet, so all of it counts as changed.
  await untilGuest(async () => written().length > 140, "a second cluster");
  for (const isKilled of [true, false]) {
    await far.kill();
    await far.is("silent");
    await detach(far);
    await untilMore();
    far.start();
    await execute("stop");
    qmp.execute = (command, args) =>
      execute(command, command === "blockdev-backup" ? { ...args, ...slow } : args);
    assert.ok((await far.attach("full")).isPart);
    qmp.execute = execute;
    await far.is("syncing");
    if (isKilled) await far.kill();
    else far.daemon.kill("SIGSTOP");
    await execute("cont");
    await far.is("silent");
    const before = written().length;
    await setTimeout(1500);
    assert.equal(written().length, before);
    await detach(far);
    await untilMore();
    if (isKilled) far.start();
    else far.daemon.kill("SIGCONT");
    assert.ok((await far.attach("full")).isPart);
    await far.is("alike");
    await isSame(there, far);
  }
  assert.doesNotMatch(one.said, /I\/O error/);
});

/** As from a backup. */
function replaceDisk({ folder: copy }: Keeper) {
  const file = join(copy, "disk.img");
  const disk = readFileSync(file);
  rmSync(file);
  writeFileSync(file, disk.fill(0, guestBytes));
}

test("a copy that returns is sent what changed, and all where that is not known", async () => {
  const ways: [string, boolean, () => unknown][] = [
    ["it was away", true, () => {}],
    ["it was opened, and nobody came", true, () => far.serve()],
    ["it was left to others", false, () => far.close()],
    ["its disk is another", false, () => replaceDisk(far)],
  ];
  for (const [why, isPart, happens] of ways) {
    await far.kill();
    await far.is("silent");
    await detach(far);
    await untilMore();
    far.start();
    await eventually(async () => existsSync(join(far.run, "qmp")), "the daemon");
    await happens();
    const before = bytesWritten(far);
    const filling = await far.attach("full");
    await far.is("alike");
    const sent = bytesWritten(far) - before;
    console.log(`${why}: ${sent} bytes of ${bytes} were sent`);
    assert.equal(filling.isPart, isPart, why);
    assert.ok(isPart ? sent < 2 * guestBytes : sent >= bytes - guestBytes, `${why}: ${sent}`);
    await isSame(there, far);
  }
});

test("a copy of which it is not known that it got all is let go", async () => {
  const disk = blockNode("data");
  const nodes: any[] = await one.vm.qmp.execute("query-named-block-nodes", { flat: true });
  const { "dirty-bitmaps": bitmaps } = nodes.find((node) => node["node-name"] === disk);
  const { name } = bitmaps.find((bitmap: any) => bitmap.name?.startsWith("far/"));
  const mark = name.replace(/\d+$/, "behind");
  await one.vm.qmp.execute("block-dirty-bitmap-add", { node: disk, name: mark, disabled: true });
  await far.is("broken");
  assert.ok((await far.attach("full")).isPart);
  await far.is("alike");
  await isSame(there, far);
});

test("both are let go at once when both do not answer, and both come back", async () => {
  for (const keeper of [there, far]) keeper.daemon.kill("SIGSTOP");
  // A write goes to one after the other, so one is missed first.
  const isMissed = async ({ node }: Keeper) => (await view()).links[node] === "silent";
  const first = await eventually(async () => {
    return (await isMissed(there)) ? there : (await isMissed(far)) && far;
  }, "one is missed");
  const letGo = detach(first);
  await (first === there ? far : there).is("silent");
  const before = written().length;
  await setTimeout(1500);
  assert.equal(written().length, before);
  await detach(there, far);
  await letGo;
  assert.deepEqual((await view()).links, { there: "none", far: "none" });
  await untilMore();
  for (const keeper of [there, far]) {
    keeper.daemon.kill("SIGCONT");
    await keeper.attach("full");
    await keeper.is("alike");
  }
  await untilMore();
  hasAll(there, far);
});

test("a copy is let go also when QEMU itself waits for it", async () => {
  there.daemon.kill("SIGSTOP");
  await there.is("silent");
  const stopped = one.vm.qmp.execute("stop");
  assert.deepEqual((await view()).links, { there: "silent", far: "unknown" });
  await detach(there);
  await stopped;
  await one.vm.qmp.execute("cont");
  await untilMore();
  there.daemon.kill("SIGCONT");
  await there.attach("full");
  await there.is("alike");
  await assert.rejects(there.attach("none"), /has written since/);
  await there.attach("full");
  await there.is("alike");
});

test("a copy that is given to another writer takes nothing more from the one before", async () => {
  await far.close();
  const before = written().length;
  await far.is("silent");
  await far.part.ask({ method: "serve", podUid: "r", bytes });
  await setTimeout(1500);
  assert.ok(written().length <= before + 1, "a write without the copy was acknowledged");
  hasAll(there, far);
});
