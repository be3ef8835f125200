import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseMs } from "../../lib/release.ts";
import { recordText } from "./kernel-log.ts";
import { learn, problemConditions, systemOoms } from "./problems.ts";
import type { Known, Look } from "./problems.ts";

const minute = 60_000;
const look = (more: Partial<Look> = {}): Look => ({
  now: releaseMs + minute,
  monotonic: 0,
  kernelLines: [],
  readOnly: false,
  ...more,
});

const reasons = (one: Look, known: Known = {}) =>
  problemConditions(learn(known, one), one).map(({ status, reason }) => `${status} ${reason}`);

test("a sound machine has no problems", () => {
  assert.deepEqual(reasons(look()), [
    "False KernelHasNoDeadlock",
    "False FilesystemIsNotReadOnly",
    "False ClockIsPlausible",
  ]);
});

test("a task that hangs in the kernel is told for as long as the kernel tells it", () => {
  const kernelLines = ["INFO: task dd:4711 blocked for more than 122 seconds."];
  const hung = look({ kernelLines });
  assert.match(reasons(hung)[0]!, /True TaskHung/);
  const known = learn({}, hung);
  const later = look({ now: releaseMs + 7 * minute, monotonic: 6 * minute });
  assert.match(reasons(later, known)[0]!, /False/);
});

test("a disk that became read-only is told", () => {
  assert.match(reasons(look({ readOnly: true }))[1]!, /True FilesystemIsReadOnly/);
});

test("a clock in 1970, one in 2100 and one that was set are in doubt", () => {
  assert.match(reasons(look({ now: 0 }))[2]!, /ClockBeforeRelease/);
  assert.match(reasons(look({ now: Date.UTC(2100, 0, 1) }))[2]!, /ClockFarAhead/);
  const known = learn({}, look());
  const stepped = look({ now: releaseMs + 300 * minute, monotonic: minute });
  assert.match(reasons(stepped, known)[2]!, /True ClockJumped/);
  const slewed = look({ now: releaseMs + 2 * minute + 500, monotonic: minute });
  assert.match(reasons(slewed, known)[2]!, /False/);
});

test("the kernel's victims are told when the whole machine was out of memory", () => {
  const kernelLines = [
    "Out of memory: Killed process 812 (node) total-vm:1kB",
    "Memory cgroup out of memory: Killed process 9 (sh)",
  ];
  const [only, ...rest] = systemOoms(look({ kernelLines }));
  assert.equal(only, "System OOM encountered, victim process: node, pid: 812");
  assert.deepEqual(rest, []);
});

test("a record of the kernel's log is its text", () => {
  assert.equal(recordText("6,339,5140900,-;NET: up\n SUBSYSTEM=net\n"), "NET: up");
});
