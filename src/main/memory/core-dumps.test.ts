import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const getDumpable = 3;
const module = join(import.meta.dirname, "core-dumps.ts");

test("a process that forbids it leaves no core file", () => {
  const script = `
    const { forbidCoreDumps } = await import(${JSON.stringify(module)});
    const { dlopen } = await import("node:ffi");
    const words = ["i32", "u64", "u64", "u64", "u64"];
    const { functions } = dlopen("libc.so.6", { prctl: { arguments: words, return: "i32" } });
    const get = () => functions.prctl(${getDumpable}, 0n, 0n, 0n, 0n);
    const before = get();
    await forbidCoreDumps();
    console.log(before, get());`;
  const words = ["--no-warnings", "--input-type=module", "-e", script];
  assert.equal(execFileSync(process.execPath, words, { encoding: "utf8" }), "1 0\n");
});
