// Live migration between two QEMUs of this machine, as two nodes do it: by TLS, with disks copied.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-move-test-"));
const mebibyte = 2 ** 20;

function volume(name: string) {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, "disk.img"), Buffer.alloc(8 * mebibyte));
  return path;
}
const [here, there] = [volume("here"), volume("there")];

let kernel: ReturnType<typeof guestFiles>;
let source: QemuVm;
let target: QemuVm;

const options = (data: string) => ({
  guest: "run=judge",
  devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
  volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
  folders: { data },
});

before(async () => {
  kernel = guestFiles(folder);
  [source, target] = await Promise.all([
    QemuVm.start(kernel, options(here)),
    QemuVm.start(kernel, { ...options(there), incoming: true }),
  ]);
  await untilGuest(async () => source.said.includes("GUEST memory holds 1"), "the guest");
});
after(async () => {
  await Promise.all([source.stop(), target.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const slowly = {
  copy: ["data"],
  autoConverge: false,
  bandwidthBytesPerSecond: mebibyte,
};

test("what does not wait for a migration refuses one", async () => {
  await assert.rejects(source.answers().prepareMigration([]), { reason: "Conflict" });
  await assert.rejects(source.answers().cancelMigration(), { reason: "Conflict" });
});

test("a migration that is cancelled leaves the guest where it was", async () => {
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const way = await target.answers().prepareMigration(["data"]);
  assert.match(way.key, /^[0-9a-f]{64}$/);
  await source.answers().migrate(way, slowly);
  const isUnderWay = async () => (await source.answers().migration()).phase !== "none";
  await eventually(isUnderWay, "its progress");
  await source.answers().cancelMigration();
  await eventually(
    async () => (await source.answers().migration()).phase === "cancelled",
    "its end",
  );
  assert.equal((await source.answers().state()).status, "running");
});

test("a migration that takes longer than it may is given up, and the guest goes on", async () => {
  await target.stop();
  target = await QemuVm.start(kernel, { ...options(there), incoming: true });
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const way = await target.answers().prepareMigration(["data"]);
  const fast = 64 * mebibyte;
  await source.answers().migrate(way, {
    ...{ copy: ["data"], autoConverge: false, abortAfterMs: 1 },
    bandwidthBytesPerSecond: fast,
  });
  const failed = await eventually(async () => {
    const progress = await source.answers().migration();
    return progress.phase === "failed" && progress;
  }, "its end");
  assert.match(failed.error ?? "", /not completed after 0 seconds and has been aborted/);
  assert.equal((await source.answers().state()).status, "running");
});

test("a guest goes on elsewhere at its next word, with its disk", async () => {
  await target.stop();
  target = await QemuVm.start(kernel, { ...options(there), incoming: true });
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const { guestExec } = source.answers();
  await eventually(async () => source.vm.agentConnected, "the guest's agent");
  await guestExec(["/bin/sh", "-c", "printf moved | dd of=/dev/vda conv=fsync"]);
  const way = await target.answers().prepareMigration(["data"]);
  const atEvents: string[] = [];
  source.vm.onEvent(({ event }) => atEvents.push(`${event} ${source.vm.status}`));
  await source.answers().migrate(way, { copy: ["data"], autoConverge: true });
  const done = await eventually(async () => {
    const progress = await source.answers().migration();
    assert.notEqual(progress.phase, "failed", progress.error ?? "");
    return progress.phase === "completed" && progress;
  }, "the migration");
  assert.ok(done.transferredBytes > mebibyte && done.downtimeMs !== undefined);
  assert.ok(atEvents.includes("STOP running"), `nobody paused it: ${atEvents.join(", ")}`);
  const rounds = (text: string) =>
    [...text.matchAll(/GUEST memory holds (\d+)/g)].map(([, round]) => Number(round));
  const [, second] = await eventually(async () => {
    const all = rounds(target.said);
    return all.length >= 2 && all;
  }, "its next words");
  const last = rounds(source.said).at(-1)!;
  assert.ok(second! <= last + 3 && second! > last, `${last} then ${second}`);
  assert.doesNotMatch(source.said + target.said, /GUEST memory lost/);
  assert.match(readFileSync(join(there, "disk.img"), "latin1"), /^moved/);
});

test("a guest goes on elsewhere before its memory is there, and loses nothing of it", async () => {
  await source.stop();
  source = target;
  writeFileSync(join(here, "disk.img"), Buffer.alloc(8 * mebibyte));
  target = await QemuVm.start(kernel, { ...options(here), incoming: true });
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const way = await target.answers().prepareMigration(["data"], true);
  assert.deepEqual(way.postCopy, { isAble: true });
  const bandwidthBytesPerSecond = 4 * mebibyte;
  await source.answers().migrate(way, {
    ...{ copy: ["data"], autoConverge: false, bandwidthBytesPerSecond, postCopyAfterMs: 1000 },
  });
  const phase = async () => (await source.answers().migration()).phase;
  await eventually(async () => (await phase()) === "post-copy", "it is there");
  await assert.rejects(source.answers().cancelMigration(), /runs elsewhere already/);
  await untilGuest(async () => target.said.includes("GUEST memory holds"), "its next words");
  assert.equal(await phase(), "post-copy", "it speaks before all of it is there");
  await untilGuest(async () => (await phase()) === "completed", "all of it");
  const told = target.said.length;
  await untilGuest(
    async () => target.said.slice(told).includes("GUEST memory holds"),
    "more words",
  );
  assert.doesNotMatch(target.said, /GUEST memory lost/);
  assert.match(readFileSync(join(here, "disk.img"), "latin1"), /^moved/);
});

test("a guest whose way breaks after it went on does not go on where it came from", async () => {
  await source.stop();
  source = target;
  target = await QemuVm.start(kernel, { ...options(there), incoming: true });
  await eventually(async () => target.vm.status === "inmigrate", "the target");
  const way = await target.answers().prepareMigration(["data"], true);
  await source.answers().migrate(way, {
    ...{ copy: ["data"], autoConverge: false, postCopyAfterMs: 500 },
    bandwidthBytesPerSecond: mebibyte,
  });
  const phase = async () => (await source.answers().migration()).phase;
  await eventually(async () => (await phase()) === "post-copy", "it is there");
  target.child.kill("SIGKILL");
  await eventually(async () => (await phase()) === "interrupted", "it is noticed");
  const { status } = await source.vm.qmp.execute("query-status");
  assert.notEqual(status, "running");
});
