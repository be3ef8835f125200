import assert from "node:assert/strict";
import { test } from "node:test";
import { maySeat, seatsOf } from "./seats.ts";

const share = (shares: number, lendablePercent = 0, borrowingLimitPercent?: number) => ({
  shares,
  lendablePercent,
  borrowingLimitPercent,
});

test("seats go by shares, rounded up", () => {
  const seats = seatsOf(
    new Map([
      ["a", share(30, 33)],
      ["b", share(100, 0, 50)],
    ]),
    100,
  );
  assert.deepEqual(seats.get("a"), { nominal: 24, kept: 16, most: 124 });
  assert.deepEqual(seats.get("b"), { nominal: 77, kept: 77, most: 116 });
  assert.equal(seatsOf(new Map([["x", share(0)]]), 10).get("x")!.nominal, 0);
});

test("a level borrows what others lend and do not use, and never what they keep", () => {
  const seats = seatsOf(
    new Map([
      ["a", share(1)],
      ["b", share(1, 50)],
    ]),
    20,
  );
  const a = { seats: seats.get("a")!, used: 10 };
  const b = { seats: seats.get("b")!, used: 0 };
  const may = () => maySeat(a, [a, b], 20);
  assert.ok(may(), "five of b's ten are lent");
  a.used = 14;
  assert.ok(may());
  a.used = 15;
  assert.ok(!may(), "b keeps five");
  a.used = 12;
  b.used = 8;
  assert.ok(!may(), "b uses its own");
  assert.ok(maySeat(b, [a, b], 20), "own seats need nobody's leave");
});

test("a wide request is seated when all its seats are free", () => {
  const a = { seats: { nominal: 10, kept: 10, most: 10 }, used: 6 };
  assert.deepEqual(
    [1, 4, 5].map((width) => maySeat(a, [a], 10, width)),
    [true, true, false],
  );
});
