import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { useLargePages } from "./large-pages.ts";

const bytes = 16 * 2 ** 20;
const isPossible = existsSync("/sys/kernel/mm/transparent_hugepage/enabled");

/** How many mappings of this process ask for large pages. */
const asking = () => readFileSync("/proc/self/smaps", "utf8").match(/^VmFlags:.* hg\b/gm) ?? [];

test("memory asks for the kernel's large pages where the kernel has them, and is memory anywhere", () => {
  const { Memory } = (globalThis as any).WebAssembly;
  const memory = new Uint8Array(new Memory({ initial: bytes / 2 ** 16 }).buffer);
  const before = asking().length;
  useLargePages(memory);
  assert.equal(asking().length, before + (isPossible ? 1 : 0));
  memory.fill(7);
  assert.ok(memory.every((byte) => byte === 7));
});
