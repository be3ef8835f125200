import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseOptions, giveUpChange, proveChange, startsMax, tryOptions } from "./state.ts";
import type { ConfigurationState } from "./state.ts";

const good = { vms: ["true"] };
const options = { devices: ["true"] };
const settled: ConfigurationState = { format: 1, good, proved: "first" };
const tried = (starts: number): ConfigurationState => ({
  ...settled,
  trying: { change: "second", options, starts },
});

for (const [what, state, wanted] of [
  ["a site that was given nothing has nothing", { format: 1, good: {} }, {}],
  ["a site has what proved itself", settled, good],
  ["a change is tried", tried(0), options],
  ["a change is tried once more after a start that failed", tried(1), options],
  ["a change that was tried often enough gives way", tried(startsMax), good],
] as const) {
  test(what, () => assert.deepEqual(chooseOptions(state as ConfigurationState).options, wanted));
}

test("starts are counted, and the last failure is remembered until the next change", () => {
  const first = chooseOptions(tryOptions(settled, "second", options)).state!;
  assert.equal(first.trying!.starts, 1);
  const last = chooseOptions(chooseOptions(first).state!).state!;
  assert.deepEqual([last.trying, last.failed!.change, last.good], [undefined, "second", good]);
  assert.match(last.failed!.message, /2 times/);
  assert.equal(tryOptions(last, "third", options).failed, undefined);
});

test("a change that proved itself is the site's", () => {
  assert.deepEqual(proveChange(tried(1)), { format: 1, good: options, proved: "second" });
  assert.equal(proveChange(settled), undefined);
});

test("giving up keeps what was there", () => {
  const after = giveUpChange(tried(1), "it broke");
  assert.deepEqual(after, { ...settled, failed: { change: "second", message: "it broke" } });
  assert.equal(giveUpChange(settled, "it broke"), settled);
});
