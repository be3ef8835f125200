import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressIn,
  addressNumber,
  canonicalAddress,
  covers,
  isCidr,
  overlaps,
} from "./ip-range.ts";

test("a range is an address and its bits", () => {
  for (const right of ["10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "::/0", "::1/128"]) {
    assert.ok(isCidr(right), right);
  }
  for (const wrong of [
    "10.0.0.0",
    "10.0.0.0/33",
    "::/129",
    "10.0.0/8",
    "10.0.0.0/8/8",
    "a/8",
    "10.0.0.0/x",
    "",
  ]) {
    assert.ok(!isCidr(wrong), wrong);
  }
});

test("an address lies in the ranges that cover it", () => {
  assert.ok(covers("10.96.0.0/16", "10.96.255.1"));
  assert.ok(!covers("10.96.0.0/16", "10.97.0.1"));
  assert.ok(covers("fd00::/8", "fd12::1"));
  assert.ok(!covers("0.0.0.0/0", "::1"));
  assert.ok(!covers("10.0.0.0/8", "none"));
});

test("addresses are written in one form, and counted from the start of their range", () => {
  for (const [cidr, offset, address] of [
    ["10.150.0.0/16", 1, "10.150.0.1"],
    ["10.150.3.7/16", 256, "10.150.1.0"],
    ["fd00:10:96::/112", 10, "fd00:10:96::a"],
    ["FD00:0:0:1::5/64", 65_536, "fd00::1:0:0:1:0"],
    ["::/0", 0, "::"],
    ["2001:db8:1:1:1:1:1:0/127", 1, "2001:db8:1:1:1:1:1:1"],
  ] as const) {
    assert.equal(addressIn(cidr, offset), address);
  }
  assert.equal(canonicalAddress("FD00:0:0:0:0:0:0:0A"), "fd00::a");
  assert.equal(addressNumber("::ffff:1.2.3.4"), (0xffffn << 32n) | 0x01020304n);
});

test("two ranges overlap when one has an address of the other", () => {
  assert.ok(overlaps("10.0.0.0/8", "10.96.0.0/16"));
  assert.ok(overlaps("fd00:1::/64", "fd00::/16"));
  assert.ok(!overlaps("10.96.0.0/16", "10.97.0.0/16"));
  assert.ok(!overlaps("0.0.0.0/0", "::/0"));
});
