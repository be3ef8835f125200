import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentValues } from "./recent-values.ts";

const kilobytes = (count: number) => new Uint8Array(count * 1024);

test("a value that was kept comes back as the same buffer", () => {
  const recent = new RecentValues();
  const value = kilobytes(1);
  recent.add(7, value);
  assert.equal(recent.get(7), value);
  assert.equal(recent.get(8), undefined);
});

test("the oldest values make room for new ones", () => {
  const recent = new RecentValues();
  for (let revision = 1; revision <= 5; revision++) recent.add(revision, kilobytes(500));
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((revision) => recent.get(revision) !== undefined),
    [false, true, true, true, true],
  );
});

test("a value that would push out all others is not kept", () => {
  const recent = new RecentValues();
  recent.add(1, kilobytes(10));
  recent.add(2, kilobytes(1024));
  assert.equal(recent.get(2), undefined);
  assert.ok(recent.get(1));
});
