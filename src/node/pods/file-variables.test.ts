import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Volume } from "../volumes/volume.ts";
import { fileValues, findVariable } from "./file-variables.ts";
import type { Container, Pod } from "./pod.ts";

test("a file of variables has comments, blanks, and values of several lines; the first of a name counts", () => {
  const text = [
    "# where the database is",
    "  ADDRESS='db:5432' # there",
    "",
    "\t# more",
    "MOTTO='a # and a = are literal, \\n too",
    "second line'",
    "EMPTY=''",
    "COMMAND= 'of a shell'",
    "ADDRESS='later'",
  ].join("\n");
  const values = {
    ADDRESS: "db:5432",
    MOTTO: "a # and a = are literal, \\n too\nsecond line",
    EMPTY: "",
    COMMAND: "",
    address: undefined,
  };
  for (const [name, value] of Object.entries(values)) {
    assert.equal(findVariable(text, name), value, name);
  }
  assert.equal(findVariable("", "A"), undefined);
  assert.equal(findVariable("A='1'", "A"), "1");
});

test("what a shell would understand in another way, or not at all, is refused with its line", () => {
  const others = ["A=1", 'A="1"', "A='1''2'", "A='1'$B", "A='1", "A", "='1'", "export", "A ='1'"];
  for (const other of others) {
    assert.throws(() => findVariable(`B='2'\n${other}\n`, "C"), /^ConfigError: line 2 /, other);
    assert.equal(findVariable(`B='2'\n${other}\n`, "B"), "2");
  }
});

test("a file of nothing but blanks is read in one pass", () => {
  assert.throws(() => findVariable(`A${" ".repeat(60_000)}`, "A"), /line 1/);
  assert.equal(findVariable(" ".repeat(60_000), "A"), undefined);
});

let folder: string;
const volumeAt = (hostPath: string) => ({ hostPath }) as Volume;
const socket = createServer();
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-variables-"));
  mkdirSync(join(folder, "volume/sub"), { recursive: true });
  writeFileSync(join(folder, "outside"), "A='secret'\n");
  writeFileSync(join(folder, "volume/sub/env"), "A='1'\n");
  writeFileSync(join(folder, "volume/bad"), "A=1\n");
  writeFileSync(join(folder, "volume/large"), `A='${"x".repeat(70_000)}'\n`);
  symlinkSync("../outside", join(folder, "volume/link"));
  await new Promise<void>((resolve) => void socket.listen(join(folder, "volume/socket"), resolve));
});
after(() => {
  socket.close();
  rmSync(folder, { recursive: true });
});

async function valueOf(path: string, more: object = {}, type: object = { emptyDir: {} }) {
  const ref = { volumeName: "config", path, key: "A", ...more };
  const pod = { spec: { volumes: [{ name: "config", ...type }] } } as unknown as Pod;
  const container = { env: [{ name: "A", valueFrom: { fileKeyRef: ref } }] } as Container;
  const volumes = new Map([["config", volumeAt(join(folder, "volume"))]]);
  return (await fileValues({ pod, container }, volumes))(ref);
}

test("a variable has the value that the file has now", async () => {
  assert.equal(await valueOf("sub/env"), "1");
});

test("a file or key that is missing stops the container, unless it may be", async () => {
  await assert.rejects(valueOf("none"), /there is no file "none" of volume "config"/);
  await assert.rejects(valueOf("sub/env", { key: "B" }), /key "B" not found/);
  assert.equal(await valueOf("none", { optional: true }), undefined);
  assert.equal(await valueOf("sub/env", { key: "B", optional: true }), undefined);
});

test("nothing but a plain file of an emptyDir is read, and none outside of it", async () => {
  const optional = { optional: true };
  await assert.rejects(valueOf("link", optional), /leads out of its volume/);
  await assert.rejects(valueOf("../outside", optional), /must not contain '\.\.'/);
  await assert.rejects(valueOf("socket", optional), /is no plain file/);
  await assert.rejects(valueOf("sub", optional), /is no plain file/);
  await assert.rejects(valueOf("large", optional), /larger than 65536 bytes/);
  await assert.rejects(valueOf("bad", optional), /"bad" of volume "config": line 1 /);
  await assert.rejects(valueOf("sub/env", { volumeName: "other" }), /volume "other" not found/);
  await assert.rejects(valueOf("sub/env", {}, { hostPath: {} }), /"config" is no emptyDir/);
});
