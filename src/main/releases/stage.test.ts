import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { stageRelease } from "./stage.ts";

const lmdb = createRequire(import.meta.url)
  .resolve("lmdb")
  .split("/node_modules/")[0];
const { version: lmdbVersion } = JSON.parse(
  readFileSync(join(lmdb!, "node_modules/lmdb/package.json"), "utf8"),
);

function archiveOf(t: TestContext, files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-stage-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, "package", name, ".."), { recursive: true });
    writeFileSync(join(folder, "package", name), text);
  }
  const file = join(folder, "release.tgz");
  execFileSync("tar", ["-czf", file, "-C", folder, "package"]);
  return { file, directory: join(folder, "data") };
}

const manifest = (more: object = {}) =>
  JSON.stringify({ name: "kerb", version: "9.9.9", dependencies: { lmdb: lmdbVersion }, ...more });

test("a release is staged beside what runs, with the native parts that are here", async (t) => {
  const files = { "package.json": manifest(), "dist/kerb.js": "" };
  const { file, directory } = archiveOf(t, files);
  const { version, root } = await stageRelease(directory, file);
  assert.equal(version, "9.9.9");
  assert.ok(existsSync(join(root, "node_modules/lmdb/package.json")));
  await stageRelease(directory, file);
  assert.deepEqual(readdirSync(join(directory, "releases")), ["9.9.9"]);
});

for (const [what, files, why] of [
  [
    "another package",
    { "package.json": manifest({ name: "other" }), "dist/kerb.js": "" },
    /something else/,
  ],
  [
    "a version that leads elsewhere",
    { "package.json": manifest({ version: "../x" }), "dist/kerb.js": "" },
    /something else/,
  ],
  ["a package that was not built", { "package.json": manifest() }, /no package\/dist\/kerb\.js/],
  [
    "a release with other native parts",
    { "package.json": manifest({ dependencies: { lmdb: "0.0.1" } }), "dist/kerb.js": "" },
    /needs lmdb 0\.0\.1, and here is .*: install it with npm/,
  ],
] as const) {
  test(`${what} is refused, and nothing is left of it`, async (t) => {
    const { file, directory } = archiveOf(t, files);
    await assert.rejects(stageRelease(directory, file), why);
    assert.deepEqual(readdirSync(join(directory, "releases")), []);
  });
}

test("what is no archive is refused", async (t) => {
  const { file, directory } = archiveOf(t, { "package.json": "" });
  writeFileSync(file, "hello");
  await assert.rejects(stageRelease(directory, file), /cannot be unpacked/);
});
