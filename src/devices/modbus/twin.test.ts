import assert from "node:assert/strict";
import { test } from "node:test";
import { PropertyRefused, sameValue } from "../twins/channel.ts";
import { decode, encode, registerOf } from "./twin.ts";

const kinds: [access: object, text: string, registers: number[]][] = [
  [{ address: 0 }, "65535", [65_535]],
  [{ address: 0, type: "int16" }, "-1", [65_535]],
  [{ address: 0, type: "int16", scale: 0.1 }, "21.5", [215]],
  [{ address: 0, type: "uint32" }, "65536", [1, 0]],
  [{ address: 0, type: "int32" }, "-2", [65_535, 65_534]],
  [{ address: 0, type: "float32" }, "1.5", [0x3fc0, 0]],
];
for (const [access, text, registers] of kinds) {
  test(`${text} as ${JSON.stringify(access)} is ${registers.join()}`, () => {
    const register = registerOf(access);
    assert.deepEqual(encode(text, register), registers);
    assert.equal(decode(registers, register), text);
  });
}

test("values that do not fit, and registers that cannot be, are refused by name", () => {
  assert.throws(() => encode("70000", registerOf({ address: 0 })), /does not fit into uint16/);
  assert.throws(() => encode("", registerOf({ address: 0 })), PropertyRefused);
  for (const access of [
    {},
    { address: 7e9 },
    { address: 0, type: "bool" },
    { address: 0, table: "x" },
  ]) {
    assert.throws(() => registerOf(access), PropertyRefused);
  }
});

test("values are the same when they are the same numbers", () => {
  assert.ok(sameValue("22.50", "22.5"));
  assert.ok(!sameValue("", "0"));
  assert.ok(!sameValue("on", "off"));
});
