import assert from "node:assert/strict";
import { test } from "node:test";
import { covers, isCidr } from "./ip-range.ts";

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
