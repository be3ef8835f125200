import assert from "node:assert/strict";
import { test } from "node:test";
import { busyNanoseconds, machineUsage } from "./machine-usage.ts";

test("idle and waiting time are not usage, guests are counted once", () => {
  assert.equal(busyNanoseconds("cpu  1 2 3 400 500 6 7 8 9 10\ncpu0 9 9 9\n"), 27e7);
  assert.equal(busyNanoseconds(""), 0);
});

test("this machine uses something", async () => {
  const { cpuNanoseconds, workingSetBytes } = await machineUsage();
  assert.ok(cpuNanoseconds > 0 && workingSetBytes > 0);
});
