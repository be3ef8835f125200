// A disk that is full, and power that is cut: the guest's writer is the judge. Each of its blocks carries its number
// and a sum; what it was told to be written must be there.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../src/lib/clock.ts";
import { fetchFile } from "../../src/vms/disks/fetch.ts";
import { settleImage } from "../../src/vms/disks/settle-image.ts";
import { Shortage } from "../../src/vms/node/full-disk.ts";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-disk-test-"));
const disk = join(folder, "disk");
const image = join(disk, "disk.img");
const filler = join(disk, "filler");
const blockBytes = 512;
const blocks = 1000;

let one: QemuVm;
let kernel: ReturnType<typeof guestFiles>;

before(async () => {
  kernel = guestFiles(folder);
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
  writeFileSync(image, "");
  truncateSync(image, 4 * 2 ** 20);
  writeFileSync(filler, Buffer.alloc(960 * 1024));
  one = await QemuVm.start(kernel, {
    guest: "run=write",
    devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    folders: { data: disk },
  });
  // It has its disk by then; else the second may be first.
  await eventually(async () => one.vm.status, "its QEMU");
});
after(async () => {
  await one.stop();
  execFileSync("umount", [disk]);
  rmSync(folder, { recursive: true, force: true });
});

const written = () => [...one.said.matchAll(/GUEST wrote (\d+)/g)].map(([, n]) => Number(n));

/** Blocks that the guest was told to be written, and that are not what it wrote. */
function lost(): number[] {
  // First what was said, since the guest writes on.
  const newest = new Map(written().map((n) => [n % blocks, n]));
  const bytes = readFileSync(image);
  return [...newest].flatMap(([at, n]) => {
    const [, line = "", sum] =
      /^(\d{8}) ([0-9a-f]{8})/.exec(
        bytes.toString("latin1", at * blockBytes, (at + 1) * blockBytes),
      ) ?? [];
    const right = createHash("md5").update(line).digest("hex").slice(0, 8);
    // The block may be newer than the last word about it.
    return sum === right && Number(line) >= n ? [] : [n];
  });
}

test("a second VM with the same disk does not start, and the first does not notice", async () => {
  const second = await QemuVm.start(kernel, {
    devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    folders: { data: disk },
  });
  try {
    await eventually(async () => second.child.exitCode === 1, "its end");
    assert.match(second.said, /Failed to get "write" lock/);
  } finally {
    await second.stop();
  }
  await untilGuest(async () => written().length > 0, "the first's writes");
});

test("an import that fills the disk is told once, and leaves the room to others", async () => {
  const place = join(folder, "imported");
  mkdirSync(place);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]);
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.end(Buffer.alloc(4 * 2 ** 20, "image"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const coming = fetchFile({
      ...{ url: `http://127.0.0.1:${port}/`, headers: () => ({}), file: join(place, "part") },
      ...{ bytesMax: 2 ** 30, told: () => {}, clock: systemClock },
    });
    await assert.rejects(coming, { code: "ENOSPC" });
    assert.equal(asked, 1);
    const [part, target] = [join(place, "part"), join(place, "disk.img")];
    writeFileSync(part, gzipSync(randomBytes(700_000)));
    const settled = settleImage({ part, target, block: false, bytes: 2 ** 30, told: () => {} });
    await assert.rejects(settled, { code: "ENOSPC" });
    assert.deepEqual(readdirSync(place).sort(), ["part", "part.mark"]);
  } finally {
    server.close();
    execFileSync("umount", [place]);
  }
});

test("a disk that is full stops the guest, which goes on by itself when there is room", async () => {
  const shortage = new Shortage();
  const isShort = () => shortage.look(one.vm, async () => [disk], systemClock.monotonic());
  await untilGuest(async () => one.vm.stopReason, "the stop").catch((error) => {
    throw new Error(`${error.message}: ${one.said.slice(-2000)}`);
  });
  assert.match(one.vm.stopReason, /no space left/);
  await eventually(async () => (await one.answers().state()).paused, "it is paused");
  const before = written().length;
  assert.ok(await isShort());
  rmSync(filler);
  assert.equal(await isShort(), false);
  await untilGuest(async () => written().length > before + 20, "further writes");
  assert.doesNotMatch(one.said, /I\/O error/);
  assert.deepEqual(lost(), []);
});

test("nothing that was said to be written is lost when QEMU is killed", async () => {
  const gone = new Promise((resolve) => one.child.once("exit", resolve));
  one.child.kill("SIGKILL");
  await gone;
  assert.ok(written().length > 20);
  assert.deepEqual(lost(), []);
});
