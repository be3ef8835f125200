import assert from "node:assert/strict";
import { test } from "node:test";
import { withMemoryLimit } from "./memory-limit.ts";
import { pageBytes } from "./module-sections.ts";
import { WebAssembly } from "./web-assembly.ts";

/** One memory by its limits, exported as `memory`; behind it is a section that stays as it is. */
const moduleOf = (...limits: number[]) =>
  Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[5, limits.length + 1, 1, ...limits],
    ...[7, 10, 1, 6, ...Buffer.from("memory"), 2, 0],
  ]);

/** How many pages its memory comes to have. */
function grown(bytes: Uint8Array): number {
  const { memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const most = 2000;
  for (let pages = 1; pages < most; pages++) {
    try {
      memory.grow(1);
    } catch {
      break;
    }
  }
  return memory.buffer.byteLength / pageBytes;
}

test("a module's memory grows to its limit, and no further than it says itself", () => {
  const rows: [number[], number | undefined, number][] = [
    [[0, 1], 512 * pageBytes, 512],
    [[0, 1], 512 * pageBytes - 1, 511],
    [[0, 1], 2 * pageBytes, 2],
    [[1, 1, 3], 512 * pageBytes, 3],
    [[1, 1, 0x80, 0x08], 512 * pageBytes, 512],
    [[0, 0x81, 0x00], 300 * pageBytes, 300],
    [[1, 1, 3], undefined, 3],
  ];
  for (const [limits, memoryBytes, pages] of rows) {
    const limited = withMemoryLimit(moduleOf(...limits), memoryBytes);
    assert.equal(grown(limited), pages, `${limits} within ${memoryBytes}`);
  }
  const without = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 3, 1, 0x78, 7]);
  assert.deepEqual(withMemoryLimit(without, pageBytes), without);
});
