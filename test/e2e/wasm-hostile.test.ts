// Modules that try to leave the directories they were given, run by the runner without a container around
// it: what is shown here is WASI's own wall. node:wasi runs the same modules, to show that the walls differ.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { run, runToEnd } from "../support/command.ts";
import type { CommandOptions } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { root } from "../support/site.ts";
import { buildModule } from "../support/wasm-module.ts";

const runner = join(root, "src/wasm/wasm-run.ts");
const nodeWasi = join(root, "test/wasm/node-wasi.mjs");
let module: Awaited<ReturnType<typeof buildModule>>;
let folder: string;
let volume: string;
let outside: string;

before(async () => {
  module = await buildModule("test/wasm/probe.c");
});
after(() => module.remove());
beforeEach((context) => {
  folder = mkdtempSync(join(tmpdir(), "kerb-hostile-"));
  [volume, outside] = [join(folder, "volume"), join(folder, "outside")];
  for (const path of [volume, outside, join(outside, "kept")]) mkdirSync(path);
  writeFileSync(join(outside, "secret"), "the secret");
  (context as any).after(() => rmSync(folder, { recursive: true, force: true }));
});

function programFile(args: string[], more: object = {}) {
  const preopens = [{ guest: "/data", host: volume, readOnly: false }];
  const program = { module: module.file, args: ["probe", ...args], env: {}, preopens, ...more };
  const file = join(folder, `program-${readdirSync(folder).length}.json`);
  writeFileSync(file, JSON.stringify(program));
  return file;
}
const under = (host: string, args: string[], options?: CommandOptions) =>
  runToEnd(process.execPath, ["--no-warnings", host, programFile(args)], options);

/** What the probe said, line by line. */
async function probe(...args: string[]) {
  const { stdout, stderr } = await under(runner, args);
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n");
}

const refused = /Capabilities insufficient|Operation not permitted/;

test("absolute paths and ones that lead up are refused", async () => {
  const paths = [join(outside, "secret"), "/data/../outside/secret", "../outside/secret"];
  const lines = await probe(...paths.flatMap((path) => ["cat", path]));
  assert.equal(lines.length, paths.length);
  for (const line of lines) assert.match(line, refused);
});

const selfMade = [
  ["symlink", ".", "/data/here", "symlink", "here/..", "/data/out"],
  ["cat", "/data/out/outside/secret"],
].flat();

test("links that a module makes for itself lead nowhere, and under node:wasi to the secret", async () => {
  const lines = await probe(...selfMade);
  assert.match(lines.at(-1)!, refused);
  rmSync(volume, { recursive: true });
  mkdirSync(volume);
  assert.match((await under(nodeWasi, selfMade)).stdout, /cat: the secret/);
});

test("links that others planted are not followed out, and under node:wasi they are", async () => {
  symlinkSync(outside, join(volume, "away"));
  symlinkSync("../outside", join(volume, "up"));
  symlinkSync(join(outside, "secret"), join(volume, "file"));
  symlinkSync("/proc/self/root", join(volume, "magic"));
  const paths = [
    "/data/away/secret",
    "/data/up/secret",
    "/data/file",
    `/data/magic${outside}/secret`,
  ];
  const lines = await probe(...paths.flatMap((path) => ["cat", path]));
  assert.equal(lines.length, paths.length);
  for (const line of lines) assert.match(line, refused);
  assert.match((await under(nodeWasi, ["cat", "/data/away/secret"])).stdout, /cat: the secret/);
});

test("nothing is written, made, moved or removed through a planted link", async () => {
  symlinkSync(outside, join(volume, "away"));
  writeFileSync(join(volume, "mine"), "mine");
  const attempts = [
    ["write", "/data/away/new", "x"],
    ["append", "/data/away/secret", "x"],
    ["truncate", "/data/away/secret"],
    ["touch", "/data/away/secret"],
    ["mkdir", "/data/away/new"],
    ["rmdir", "/data/away/kept"],
    ["unlink", "/data/away/secret"],
    ["symlink", "x", "/data/away/new"],
    ["link", "/data/mine", "/data/away/new"],
    ["link", "/data/away/secret", "/data/taken"],
    ["rename", "/data/mine", "/data/away/new"],
    ["rename", "/data/away/secret", "/data/taken"],
    ["ls", "/data/away"],
    ["stat", "/data/away/secret"],
    ["readlink", "/data/away/kept"],
  ];
  const lines = await probe(...attempts.flat());
  for (const [i, attempt] of attempts.entries()) {
    assert.match(lines[i]!, refused, attempt.join(" "));
  }
  assert.deepEqual(readdirSync(outside), ["kept", "secret"]);
  assert.equal(readFileSync(join(outside, "secret"), "utf8"), "the secret");
});

test("links inside the volume work, and circles end", async () => {
  mkdirSync(join(volume, "a"));
  writeFileSync(join(volume, "a/file"), "inside");
  const lines = await probe(
    ...["symlink", "a", "/data/b", "symlink", "../a/file", "/data/a/again", "cat", "/data/b/again"],
    ...["symlink", "x", "/data/y", "symlink", "y", "/data/x", "cat", "/data/x"],
  );
  assert.equal(lines[2], "cat: inside");
  assert.match(lines.at(-1)!, /Symbolic link loop/);
});

test("an absolute link is not made, as others would follow it", async () => {
  assert.match((await probe("symlink", "/etc", "/data/etc"))[0]!, refused);
});

/** Swaps a folder with a link to `outside`, again and again, until it is told to stop. */
async function swapping<T>(use: () => Promise<T>): Promise<T> {
  const script = `
    const { mkdirSync, renameSync, symlinkSync, writeFileSync } = require("node:fs");
    process.chdir(process.argv[1]);
    mkdirSync("real"); writeFileSync("real/secret", "harmless");
    symlinkSync(process.argv[2], "fake");
    renameSync("real", "swap");
    console.log("ready");
    for (;;) {
      renameSync("swap", "real"); renameSync("fake", "swap");
      renameSync("swap", "fake"); renameSync("real", "swap");
    }`;
  const child = spawn(process.execPath, ["-e", script, volume, outside]);
  await once(child.stdout, "data");
  try {
    return await use();
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

test("a folder that is swapped for a link between two looks is not a way out, and under node:wasi it is", async () => {
  const race = ["race", "/data/swap/secret", "20000"];
  const ours = await swapping(async () => {
    const ours = await under(runner, race);
    // On a busy machine who swaps may not get to it in time.
    const leaks = async () => !/race: 0 leaks/.test((await under(nodeWasi, race)).stdout);
    await eventually(leaks, "a way out of node:wasi");
    return ours;
  });
  assert.match(ours.stdout, /race: 0 leaks/);
  assert.doesNotMatch(ours.stderr, /race: 0 reads/, "it read what was inside");
});

test("a read-only volume is not written to, by no call", async () => {
  writeFileSync(join(volume, "file"), "as it was");
  const other = join(folder, "other");
  mkdirSync(other);
  const preopens = [
    { guest: "/data", host: volume, readOnly: true },
    { guest: "/other", host: other, readOnly: false },
  ];
  const attempts = [
    ["write", "/data/new", "x"],
    ["append", "/data/file", "x"],
    ["truncate", "/data/file"],
    ["touch", "/data/file"],
    ["mkdir", "/data/new"],
    ["unlink", "/data/file"],
    ["symlink", "x", "/data/new"],
    ["rename", "/data/file", "/data/new"],
    ["rename", "/data/file", "/other/new"],
    // A second name in a writable volume would be a way to write to it.
    ["link", "/data/file", "/other/new"],
  ];
  const file = programFile(attempts.flat(), { preopens });
  const said = await run(process.execPath, ["--no-warnings", runner, file]);
  const lines = said.trimEnd().split("\n");
  for (const [i, attempt] of attempts.entries()) {
    assert.match(lines[i]!, /Read-only file system/, attempt.join(" "));
  }
  assert.deepEqual([readdirSync(volume), readdirSync(other)], [["file"], []]);
  assert.equal(readFileSync(join(volume, "file"), "utf8"), "as it was");
});

test("of a single file's mount its neighbours are neither seen nor reached", async () => {
  const preopens = [{ guest: "/etc", host: outside, readOnly: true, only: ["secret"] }];
  const args = ["ls", "/etc", "cat", "/etc/secret", "cat", "/etc/kept", "stat", "/etc/kept"];
  const file = programFile(args, { preopens });
  const said = await run(process.execPath, ["--no-warnings", runner, file]);
  assert.deepEqual(said.trimEnd().split("\n").slice(2), [
    "ls: secret 4",
    "cat: the secret",
    "cat: No such file or directory",
    "stat: No such file or directory",
  ]);
});

test("pipes and devices are not opened, so nobody waits for their other end", async () => {
  await run("mkfifo", [join(volume, "pipe")]);
  assert.match((await probe("cat", "/data/pipe"))[0]!, /Permission denied/);
});

test("ten thousand open files end at the limit", async () => {
  writeFileSync(join(volume, "file"), "");
  const [said] = await probe("open-many", "/data/file", "10000");
  assert.match(said!, /open-many: 10\d\d, then No file descriptors available/);
});

for (const args of [["sleep", "1000"], ["spin"], ["stdin"]]) {
  test(`SIGTERM ends a module in ${args[0]}`, async () => {
    const file = programFile(["say", "begins", ...args]);
    const child = spawn(process.execPath, ["--no-warnings", runner, file]);
    await once(child.stdout, "data");
    await setTimeout(50);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [null, "SIGTERM"]);
  });
}
