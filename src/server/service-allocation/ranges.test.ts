import assert from "node:assert/strict";
import { test } from "node:test";
import { addressNumber } from "../../lib/ip-range.ts";
import { addressRange, firstPort, isGivenOut, Pool, portRange } from "./ranges.ts";

test("of IPv4 neither end of a range is given out, of IPv6 the first is not", () => {
  const [four, six] = [addressRange("10.0.0.0/30"), addressRange("fd00::/126")];
  assert.deepEqual([four.size, four.at(0), four.at(1)], [2, "10.0.0.1", "10.0.0.2"]);
  assert.deepEqual([six.size, six.at(0), six.at(2)], [3, "fd00::1", "fd00::3"]);
  for (const [cidr, address, is] of [
    ["10.0.0.0/30", "10.0.0.0", false],
    ["10.0.0.0/30", "10.0.0.2", true],
    ["10.0.0.0/30", "10.0.0.3", false],
    ["fd00::/126", "fd00::", false],
    ["fd00::/126", "fd00::3", true],
    ["fd00::/126", "fd00::4", false],
    ["fd00::/64", "10.0.0.1", false],
  ] as const) {
    assert.equal(isGivenOut(cidr, address, addressNumber(address)), is, `${address} of ${cidr}`);
  }
});

test("what is taken is passed over, and the first of a range is left to those who choose", () => {
  const pool = new Pool<string>(() => 16);
  const range = addressRange("fd00::/112");
  assert.equal(pool.next(range), "fd00::11");
  pool.take("fd00::12");
  assert.equal(pool.next(range), "fd00::13");
  const ports = new Pool<number>();
  const few = portRange({ first: 30_000, last: 30_001 });
  assert.deepEqual(
    [ports.next(few), ports.next(few), ports.next(few)],
    [30_000, 30_001, undefined],
  );
  ports.free(30_000);
  assert.equal(ports.next(few), 30_000);
});

test("clusters that share a machine begin with ports of their own, after those that are chosen by hand", () => {
  const size = 2768;
  const starts = Array.from({ length: 50 }, (_, i) => firstPort(size, `10.${150 + i}.0.0/16`));
  const sorted = starts.toSorted((a, b) => a - b);
  assert.ok(sorted[0]! >= 86);
  assert.ok(sorted.every((one, i) => i === 0 || one - sorted[i - 1]! >= 32));
  assert.ok(firstPort(size, "fd4b:1::/112") < size);
  assert.equal(firstPort(2, "10.150.0.0/16"), 0);
});
