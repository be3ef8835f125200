import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedDevices, devicesMax } from "./checked-devices.ts";
import type { Device } from "./handler.ts";

const device = (id: string, more: Partial<Device> = {}): Device => ({
  id,
  properties: {},
  mounts: [],
  nodes: [],
  ...more,
});
const node = (path: string, permissions = "rw") => ({
  hostPath: path,
  containerPath: path,
  permissions,
});

const wrong: [what: string, device: Device, why: RegExp][] = [
  ["has no id", device(""), /it has no id/],
  ["has an endless id", device("x".repeat(5000)), /its id is longer/],
  ["has a variable that none can be", device("a", { properties: { "a=b": "" } }), /"a=b" cannot/],
  [
    "has a value with a zero in it",
    device("a", { properties: { a: "\0" } }),
    /cannot be a variable/,
  ],
  ["has a value that is no text", device("a", { properties: { a: 7 as any } }), /are no texts/],
  [
    "has an endless value",
    device("a", { properties: { a: "x".repeat(40_000) } }),
    /is longer than/,
  ],
  ["has a path that is not whole", device("a", { nodes: [node("dev/null")] }), /no absolute path/],
  ["has permissions that are none", device("a", { nodes: [node("/dev/x", "rx")] }), /not letters/],
];
for (const [what, one, why] of wrong) {
  test(`a device that ${what} is left out by name, and the rest is found`, () => {
    const { devices, refused } = checkedDevices([one, device("good")]);
    assert.deepEqual(
      devices.map(({ id }) => id),
      ["good"],
    );
    assert.match(refused[0]!.why, why);
  });
}

test("a device that is said twice in the same words is one", () => {
  const { devices, refused } = checkedDevices([device("a"), device("a")]);
  assert.deepEqual([devices, refused], [[device("a")], []]);
});

test("of two devices with one id the first counts", () => {
  const first = device("a", { properties: { n: "1" } });
  const { devices, refused } = checkedDevices([first, device("a", { properties: { n: "2" } })]);
  assert.deepEqual(devices, [first]);
  assert.deepEqual(refused, [{ id: "a", why: "its id is there twice" }]);
});

test("of a hundred thousand devices those beyond the limit are left out", () => {
  const all = Array.from({ length: 100_000 }, (_, i) => device(`d${i}`));
  const { devices, refused } = checkedDevices(all);
  assert.equal(devices.length, devicesMax);
  assert.equal(refused.length, 100_000 - devicesMax);
});
