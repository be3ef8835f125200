// QEMU with a disk of which another node has a copy, without a guest: it moves to its copy, grows there, and stays
// where a move fails. What is written comes from QEMU itself.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { replicaPart } from "../../src/vms/node/replicas.ts";
import { replicaArguments } from "../../src/vms/prepare/prepare-replica.ts";
import { eventually } from "../support/eventually.ts";
import { QemuVm } from "../support/qemu.ts";

const root = mkdtempSync(join(tmpdir(), "kerb-moving-test-"));
let bytes = 4 * 2 ** 20;

/** A node: a folder with a copy, and the daemon that keeps it. */
class Place {
  readonly folder: string;
  readonly run: string;
  daemon: ChildProcess | undefined;

  constructor(name: string) {
    this.folder = join(root, name);
    this.run = join(root, `${name}-run`);
    for (const path of [this.folder, this.run]) mkdirSync(path);
  }

  get disk() {
    return join(this.folder, "disk.img");
  }

  keep() {
    const [command, ...args] = replicaArguments(this.run);
    this.daemon = spawn(command!, args, { stdio: "ignore" });
  }

  #part = () =>
    replicaPart({
      ...{ run: () => this.run, inside: this.run, directory: root, file: this.disk },
      volumes: { folder: async () => this.folder },
    });

  async serve() {
    const question = { method: "serve", podUid: "r", bytes } as const;
    const target: any = await eventually(() => this.#part().ask(question), "the copy");
    return { node: "peer", host: "127.0.0.1", ...target };
  }

  close() {
    return this.#part().ask({ method: "close", podUid: "r" });
  }

  start(incoming = false) {
    return QemuVm.start(
      { path: "", initrd: "" },
      {
        devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
        folders: { data: this.folder },
        ...{ isReplicated: true, incoming },
      },
    );
  }
}

const here = new Place("here");
const there = new Place("there");
const started: QemuVm[] = [];

async function start(place: Place, incoming = false) {
  const vm = await place.start(incoming);
  started.push(vm);
  const status = incoming ? "inmigrate" : "prelaunch";
  await eventually(async () => vm.vm.status === status, "QEMU");
  return vm;
}

before(() => {
  writeFileSync(here.disk, Buffer.alloc(bytes));
  for (const place of [here, there]) place.keep();
});
after(async () => {
  for (const vm of started) await vm.stop();
  for (const { daemon } of [here, there]) daemon?.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

const write = ({ vm }: QemuVm, letter: string, at = 0) => {
  const device = "/machine/peripheral/disk-data/virtio-backend";
  const order = `qemu-io -d ${device} "write -P ${letter.charCodeAt(0)} ${at} 4096"`;
  return vm.qmp.execute("human-monitor-command", { "command-line": order });
};
const view = (vm: QemuVm) => vm.answers().viewCopies("data", { peer: "127.0.0.1" });
const isAlike = (vm: QemuVm) =>
  eventually(async () => (await view(vm)).links["peer"] === "alike", "the copies are alike");
const runs = (vm: QemuVm) => eventually(async () => vm.vm.status === "running", "it runs");

function areSame(letter: string, at = 0) {
  const [one, other] = [readFileSync(here.disk), readFileSync(there.disk)];
  assert.ok(one.equals(other), "the copies differ");
  assert.equal(one.toString("latin1", at, at + 1), letter);
}

let source: QemuVm;

test("it goes on at its copy, and what was its disk is the copy then", async () => {
  source = await start(here);
  await source.answers().attachCopy("data", { ...(await there.serve()), sync: "none" });
  await source.answers().release();
  await runs(source);
  await write(source, "A");
  areSame("A");
  const target = await start(there, true);
  assert.equal(await target.answers().hasArrived(), false);
  const to = await target.answers().prepareMigration([]);
  await source.answers().migrate(to, { copy: [], autoConverge: false });
  await eventually(() => target.answers().hasArrived(), "its arrival");
  const { links, isSwitching } = await view(source);
  assert.deepEqual([links["peer"], isSwitching], ["none", true]);
  await assert.rejects(target.answers().unpause(), /waits for its replicated disks/);
  await there.close();
  await target.answers().attachCopy("data", { ...(await here.serve()), sync: "none" });
  await target.answers().release();
  await runs(target);
  await write(target, "B");
  areSame("B");
  await source.stop();
  source = target;
});

test("its disk grows while it has no copy, and the copy with it", async () => {
  await source.answers().detachCopies("data", ["peer"]);
  bytes *= 2;
  await source.answers().resizeVolume("data", bytes);
  assert.equal((await view(source)).bytes, bytes);
  await source.answers().attachCopy("data", { ...(await here.serve()), sync: "full" });
  await isAlike(source);
  await write(source, "C", bytes - 4096);
  areSame("C", bytes - 4096);
  assert.deepEqual(
    [here, there].map(({ disk }) => statSync(disk).size),
    [bytes, bytes],
  );
});

test("where its move fails once its copy was let go, it stands still until that is recorded", async () => {
  const target = await start(here, true);
  source.vm.onEvent(({ event, data }) => {
    if (event !== "MIGRATION" || data?.status !== "pre-switchover") return;
    // It takes what still comes, and makes nothing of it.
    target.child.kill("SIGSTOP");
    void setTimeout(1000).then(() => target.child.kill("SIGKILL"));
  });
  const to = await target.answers().prepareMigration([]);
  await source.answers().migrate(to, { copy: [], autoConverge: false });
  await eventually(async () => {
    const seen = await source.answers().migration();
    if (seen.phase !== "failed") throw new Error(JSON.stringify(seen));
    return true;
  }, "its end");
  await eventually(async () => source.vm.status === "paused", "it stands still");
  assert.equal((await view(source)).isSwitching, undefined);
  await source.answers().attachCopy("data", { ...(await here.serve()), sync: "full" });
  await runs(source);
  await isAlike(source);
  await write(source, "D");
  areSame("D");
});
