import assert from "node:assert/strict";
import { test } from "node:test";
import { configDriveFiles, noCloudFiles } from "./cloud-init.ts";
import { imageFacts, imageHeaderBytes } from "./image-format.ts";
import { iso9660 } from "./iso9660.ts";

function qcow2(change: (header: Buffer) => void = () => {}): Buffer {
  const header = Buffer.alloc(imageHeaderBytes);
  header.write("QFI\xfb", 0, "latin1");
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(10n * 2n ** 30n, 24);
  change(header);
  return header;
}

test("a qcow2 image tells its size, and anything else is raw", () => {
  assert.deepEqual(imageFacts(qcow2()), { format: "qcow2", virtualBytes: 10 * 2 ** 30 });
  assert.deepEqual(imageFacts(Buffer.alloc(512)), { format: "raw" });
  assert.deepEqual(imageFacts(Buffer.from("QFI\xfb", "latin1")), { format: "raw" });
});

test("an image that names other files, or lies, is refused", () => {
  const rows: [(header: Buffer) => void, RegExp][] = [
    [(header) => header.writeBigUInt64BE(200n, 8), /backing file/],
    [(header) => header.writeBigUInt64BE(4n, 72), /data in another file/],
    [(header) => header.writeBigUInt64BE(64n, 72), /features that are not known/],
    [(header) => header.writeUInt32BE(1, 32), /encrypted/],
    [(header) => header.writeUInt32BE(9, 4), /version 9/],
    [(header) => header.writeUInt32BE(63, 20), /clusters/],
    [(header) => header.writeBigUInt64BE(2n ** 60n, 24), /says that it has/],
  ];
  for (const [change, why] of rows) assert.throws(() => imageFacts(qcow2(change)), why);
  assert.throws(() => imageFacts(Buffer.from("KDMV".padEnd(200, "\0"))), /is a VMDK/);
});

const textAt = (disk: Buffer, text: string) => disk.indexOf(text) >= 0;

test("a disk of files carries its label, its names and what they hold", () => {
  const files = noCloudFiles({
    uuid: "u",
    hostname: "shop",
    namespace: "till",
    user: "#!/bin/sh\n",
    keys: ["ssh-ed25519 A"],
    network: "version: 2\n",
  });
  const disk = iso9660(files, "cidata");
  assert.equal(disk.length % 2048, 0);
  assert.equal(disk.toString("latin1", 32769, 32774), "CD001");
  assert.equal(disk.toString("latin1", 32808, 32814), "cidata");
  for (const name of ["user-data;1", "meta-data;1", "network-config;1"]) {
    assert.ok(disk.includes(Buffer.from(name, "utf16le").swap16()), name);
  }
  assert.ok(textAt(disk, "#!/bin/sh") && textAt(disk, '"local-hostname":"shop"'));
  assert.ok(textAt(disk, '"public-keys":{"0":"ssh-ed25519 A"}'));
  assert.deepEqual(iso9660(files, "cidata"), disk, "the same files are the same disk");
});

test("a config drive has folders; names that no disk has are refused", () => {
  const disk = iso9660(
    configDriveFiles({ uuid: "u", hostname: "h", namespace: "n", user: "hi", keys: ["ssh-rsa B"] }),
    "config-2",
  );
  assert.ok(disk.includes(Buffer.from("openstack", "utf16le").swap16()));
  assert.ok(textAt(disk, '"public_keys":{"0":"ssh-rsa B"}'));
  for (const name of ["", "a//b", "x".repeat(101)]) {
    assert.throws(() => iso9660(new Map([[name, Buffer.from("")]]), "x"), /cannot be the name/);
  }
  const huge = Buffer.alloc(65 * 2 ** 20);
  assert.throws(() => iso9660(new Map([["a", huge]]), "x"), /too large/);
});

test("more files than a sector has room for are all there", () => {
  const files = new Map(
    Array.from({ length: 200 }, (_, i) => [`key-${i}.properties`, Buffer.from(`value ${i}`)]),
  );
  const disk = iso9660(files, "cfgdata");
  for (const i of [0, 99, 199]) assert.ok(textAt(disk, `value ${i}`));
});
