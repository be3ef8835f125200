// A guest that moves between two QEMUs of this machine while Kerb is started anew at either end, and while the way
// between them breaks.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { MigrationOptions, MigrationProgress } from "../../src/vms/control.ts";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { bareGuestFiles } from "../support/bare-guest.ts";
import { QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-move-test-"));
const mebibyte = 2 ** 20;
let kernel: ReturnType<typeof bareGuestFiles>;
let source: QemuVm;
let target: QemuVm;
const ways: Way[] = [];
let disks = 0;
let disk = "";

/** Stopped once more at the end. */
const all: QemuVm[] = [];

async function start(incoming: boolean) {
  const data = join(folder, `disk-${++disks}`);
  mkdirSync(data);
  disk = join(data, "disk.img");
  writeFileSync(disk, Buffer.alloc(32 * mebibyte));
  const started = await QemuVm.start(kernel, {
    devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    folders: { data },
    ...(incoming && { incoming }),
  });
  all.push(started);
  return started;
}

before(async () => {
  kernel = bareGuestFiles(folder);
  source = await start(false);
  await untilGuest(async () => source.said.includes("GUEST memory holds 1"), "the guest");
});
after(async () => {
  for (const way of ways) way.close();
  await Promise.all(all.map((one) => one.stop()));
  rmSync(folder, { recursive: true, force: true });
});

/** A way for the memory that can be broken: with a word to both ends, or in silence. */
async function breakableWay(host: string, port: number) {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((one) => {
    const other = connect(port, host);
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes: Buffer) => {
        if (!to.write(bytes) || isSilent) from.pause();
      });
      to.on("drain", () => isSilent || from.resume());
      from.on("error", () => {}).on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as { port: number }).port,
    fallSilent: () => void (isSilent = true),
    speakAgain() {
      isSilent = false;
      for (const socket of sockets) socket.resume();
    },
    cut: () => sockets.forEach((socket) => socket.resetAndDestroy()),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
type Way = Awaited<ReturnType<typeof breakableWay>>;

const progress = () => source.answers().migration();
/** Or one that it does not come back from. */
async function untilPhase(phase: MigrationProgress["phase"]) {
  const ends = ["failed", "lost", "completed"];
  const found = await untilGuest(async () => {
    const now = await progress();
    return [phase, ...ends].includes(now.phase) && now;
  }, phase);
  assert.equal(found.phase, phase, found.error ?? "");
}

/** QEMU keeps a guest whose way breaks once it runs there, and not while it is still being told of its devices. */
async function untilItRunsThere() {
  await untilPhase("post-copy");
  await untilGuest(async () => (await target.answers().state()).status === "running", "it runs");
}

/** From where the guest is to a new QEMU. */
async function begin(options: Partial<MigrationOptions> = {}): Promise<Way> {
  target = await start(true);
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const to = await target
    .answers()
    .prepareMigration(["data"], options.postCopyAfterMs !== undefined);
  const way = await breakableWay(to.host, to.port);
  ways.push(way);
  await source.answers().migrate(
    { ...to, port: way.port },
    {
      ...{ copy: ["data"], autoConverge: false, bandwidthBytesPerSecond: 8 * mebibyte },
      ...options,
    },
  );
  return way;
}

const rounds = (text: string) => text.match(/GUEST memory holds/g)?.length ?? 0;

async function goesOn(at: () => QemuVm) {
  const before = rounds(at().said);
  await untilGuest(async () => rounds(at().said) > before + 1, "more words");
  assert.doesNotMatch(source.said + target.said, /GUEST memory lost/);
}

/** It has all, its disk too, and runs there alone. */
async function arrives(way: Way, word: string) {
  await untilPhase("completed");
  await goesOn(() => target);
  assert.equal((await source.vm.qmp.execute("query-status")).status, "postmigrate");
  assert.equal(readFileSync(disk, "latin1").slice(0, word.length), word);
  way.close();
  await source.stop();
  source = target;
}

async function staysHere(way: Way) {
  await goesOn(() => source);
  assert.equal((await source.answers().state()).status, "running");
  assert.deepEqual(await source.vm.qmp.execute("query-jobs"), []);
  way.close();
  await target.stop();
}

/** As the guest would. */
async function write(word: string) {
  const { qmp } = source.vm;
  const blocks: any[] = await qmp.execute("query-block");
  const { qdev } = blocks.find(({ inserted }) => inserted);
  const bytes = [...Buffer.from(word)];
  for (const [at, byte] of bytes.entries()) {
    const line = `qemu-io -d ${qdev} "write -P ${byte} ${at} 1"`;
    await qmp.execute("human-monitor-command", { "command-line": line });
  }
}

test("Kerb is started anew at both ends while a disk is copied", async () => {
  await write("first");
  const way = await begin();
  await untilPhase("copying disks");
  const before = await target.answers().prepareMigration(["data"]);
  await Promise.all([source.restartKerb(), target.restartKerb()]);
  assert.deepEqual(await target.answers().prepareMigration(["data"]), before, "the same key");
  await arrives(way, "first");
});

test("Kerb is started anew while the memory is sent, and is away when all of it is there", async () => {
  await write("second");
  const way = await begin();
  await untilPhase("running");
  await source.restartKerb({
    async meanwhile(qmp) {
      // As Kerb would say after a while: a guest on a busy machine changes its memory faster than it is sent.
      await qmp.execute("migrate-set-parameters", { "downtime-limit": 300 });
      await untilGuest(async () => {
        const { status } = await qmp.execute("query-migrate");
        return status === "pre-switchover";
      }, "it waits for Kerb");
    },
  });
  await arrives(way, "second");
});

test("Kerb is started anew after the guest went on elsewhere", async () => {
  await write("third");
  const way = await begin({ postCopyAfterMs: 1000 });
  await untilPhase("post-copy");
  await Promise.all([source.restartKerb(), target.restartKerb()]);
  assert.equal((await progress()).phase, "post-copy");
  await assert.rejects(source.answers().cancelMigration(), /runs elsewhere already/);
  await arrives(way, "third");
});

test("the way breaks after the guest went on elsewhere, and a new one is taken", async () => {
  await write("fourth");
  const way = await begin({ postCopyAfterMs: 1000 });
  await untilItRunsThere();
  way.cut();
  await untilPhase("interrupted");
  await source.restartKerb();
  assert.equal((await progress()).phase, "interrupted");
  await target.answers().recoverMigration();
  await source.answers().resumeMigration();
  await arrives(way, "fourth");
});

test("the way falls silent after the guest went on elsewhere, and a new one is taken", async () => {
  await write("fifth");
  const way = await begin({ postCopyAfterMs: 1000 });
  await untilItRunsThere();
  way.fallSilent();
  await untilPhase("interrupted");
  way.speakAgain();
  await target.answers().recoverMigration();
  await source.answers().resumeMigration();
  await arrives(way, "fifth");
});

test("a migration is cancelled by a Kerb that did not begin it", async () => {
  for (const phase of ["copying disks", "running"] as const) {
    const way = await begin();
    await untilPhase(phase);
    await source.restartKerb();
    await source.answers().cancelMigration();
    await source.restartKerb();
    assert.equal((await progress()).phase, "cancelled");
    await staysHere(way);
  }
});

test("the way breaks while Kerb is away, and the guest goes on where it is", async () => {
  const way = await begin();
  await untilPhase("running");
  await source.restartKerb({ meanwhile: async () => way.cut() });
  await untilGuest(async () => (await progress()).phase === "failed", "its end");
  await staysHere(way);
});

test("a guest whose disk is not there as a whole does not go on elsewhere", async () => {
  const way = await begin();
  await untilPhase("running");
  await target.vm.qmp.execute("nbd-server-stop");
  await write("sixth");
  const failed = await untilGuest(async () => {
    const found = await progress();
    return found.phase === "failed" && found;
  }, "its end");
  assert.ok(failed.error);
  await staysHere(way);
});
