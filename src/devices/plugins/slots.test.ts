import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../kinds/instance.ts";
import { instanceDevices, parseUsage, usageText, variables, virtualDevices } from "./slots.ts";

const instance = (name: string, deviceUsage: Record<string, string>, capacity = 2) =>
  ({
    metadata: { name },
    spec: { capacity, deviceUsage, brokerProperties: { PATH: "/dev/a" }, nodes: ["here"] },
  }) as unknown as Instance;

test("who holds a slot is read and written as Akri does", () => {
  assert.equal(parseUsage(""), undefined);
  assert.deepEqual(parseUsage("here"), { node: "here" });
  const virtual = { node: "here", virtualDevice: "cam-3" };
  assert.deepEqual(parseUsage("C:cam-3:here"), virtual);
  assert.equal(usageText(virtual), "C:cam-3:here");
});

test("a node sees as healthy what is free and what it holds itself", () => {
  const healthy = (usage: string) =>
    instanceDevices(instance("cam-a", { "cam-a-1": usage }), "here").map((one) => one.healthy);
  assert.deepEqual(healthy(""), [true, true]);
  assert.deepEqual(healthy("here"), [true, true]);
  assert.deepEqual(healthy("there"), [true, false]);
  assert.deepEqual(healthy("C:cam-0:here"), [true, false]);
});

test("a Configuration offers one more of each device that has a free slot", () => {
  const list = (usage: Record<string, string>, before?: ReturnType<typeof virtualDevices>) =>
    virtualDevices("cam", [instance("cam-a", usage), instance("cam-b", {})], {
      node: "here",
      ...(before && { before }),
    });
  const first = list({});
  assert.deepEqual(
    [...first].map(([id, one]) => [id, one.instance, one.taken]),
    [
      ["cam-0", "cam-a", false],
      ["cam-1", "cam-b", false],
    ],
  );
  const next = list({ "cam-a-0": "C:cam-0:here" }, first);
  assert.deepEqual([...next].map(([id, one]) => `${id} ${one.instance} ${one.taken}`).sort(), [
    "cam-0 cam-a true",
    "cam-1 cam-b false",
    "cam-2 cam-a false",
  ]);
  const full = list({ "cam-a-0": "there", "cam-a-1": "there" });
  assert.deepEqual([...full.values()], [{ instance: "cam-b", taken: false }]);
});

test("each variable comes twice, once with the device's digest", () => {
  assert.deepEqual(variables(instance("cam-8120fe", {})), {
    PATH: "/dev/a",
    PATH_8120FE: "/dev/a",
  });
});
