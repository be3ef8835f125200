import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRelease, giveUp, proveRelease, startsMax, tryRelease } from "./state.ts";
import type { ReleaseState } from "./state.ts";

const installed = { version: "1.0.0", root: "/usr/lib/kerb" };
const staged = { version: "1.1.0", root: "/data/releases/1.1.0/package" };
const later = { version: "1.2.0", root: "/data/releases/1.2.0/package" };
const state = (more: Partial<ReleaseState> = {}): ReleaseState => ({
  ...{ format: 1, installed: "1.0.0" },
  ...more,
});

for (const [what, have, own, runs] of [
  ["without staged releases the installed one runs", undefined, installed, undefined],
  [
    "a proved release runs in place of the installed one",
    state({ good: staged }),
    installed,
    staged,
  ],
  ["a proved release goes on itself", state({ good: staged }), staged, undefined],
  [
    "an installation that was renewed by hand wins",
    state({ good: staged }),
    { ...installed, version: "1.3.0" },
    undefined,
  ],
  [
    "one that is tried is started once more",
    state({ good: staged, trying: { ...later, starts: 1 } }),
    installed,
    later,
  ],
  [
    "one that was tried often enough gives way to the good one",
    state({ good: staged, trying: { ...later, starts: startsMax } }),
    installed,
    staged,
  ],
  [
    "one that was tried often enough gives way to the installed one",
    state({ trying: { ...later, starts: startsMax } }),
    installed,
    undefined,
  ],
  [
    "one that is tried goes on itself",
    state({ trying: { ...later, starts: 1 } }),
    later,
    undefined,
  ],
] as const) {
  test(what, () => assert.deepEqual(chooseRelease(have, own).run, runs));
}

test("starts are counted, and the last failure is remembered", () => {
  const first = tryRelease(undefined, staged, "1.0.0");
  assert.equal(first.trying!.starts, 1);
  const second = chooseRelease(first, installed).state!;
  assert.equal(second.trying!.starts, 2);
  const third = chooseRelease(second, installed).state!;
  assert.equal(third.trying, undefined);
  assert.equal(third.failed!.version, "1.1.0");
});

test("only the release that is tried can be proved, and then it is the good one", () => {
  const trying = tryRelease(state({ good: staged }), later, "1.0.0");
  assert.equal(proveRelease(trying, staged), undefined);
  assert.deepEqual(proveRelease(trying, later), state({ good: later }));
});

test("giving up keeps the good one", () => {
  const trying = tryRelease(state({ good: staged }), later, "1.0.0");
  const after = giveUp(trying, "it broke");
  assert.deepEqual(after.good, staged);
  assert.deepEqual(after.failed, { version: "1.2.0", message: "it broke" });
  assert.equal(tryRelease(after, later, "1.0.0").failed, undefined);
});
