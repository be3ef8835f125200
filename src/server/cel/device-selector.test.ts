import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceSelectors } from "./device-selector.ts";
import { loadCel } from "./load.ts";

const selectors = new DeviceSelectors(await loadCel());
const device = {
  driver: "gpu.example.com",
  attributes: {
    model: { string: "a100" },
    "gpu.example.com/index": { int: 3 },
    "other.org/driverVersion": { version: "1.20.3" },
    healthy: { bool: true },
  },
  capacity: { memory: { value: "40Gi" } },
};

for (const [expression, wanted] of [
  [`device.driver == "gpu.example.com"`, true],
  [`device.attributes["gpu.example.com"].model == "a100"`, true],
  [`device.attributes["gpu.example.com"].index >= 3`, true],
  [`device.attributes["gpu.example.com"].index == 4`, false],
  [`device.attributes["gpu.example.com"].healthy`, true],
  [`device.attributes["other.org"].driverVersion.isGreaterThan(semver("1.9.0"))`, true],
  [`device.capacity["gpu.example.com"].memory.compareTo(quantity("40Gi")) >= 0`, true],
  [`device.capacity["gpu.example.com"].memory.isGreaterThan(quantity("80Gi"))`, false],
  [`has(device.attributes["unknown.org"].x)`, false],
  [`device.attributes["gpu.example.com"].?size.orValue("big") == "big"`, true],
  [`cel.bind(dra, device.attributes["gpu.example.com"], dra.model.startsWith("a"))`, true],
] as const) {
  test(`${expression} is ${wanted} of a device`, () => {
    assert.equal(selectors.matcher(expression)(device), wanted);
  });
}

test("what no device has is found when the expression is compiled, or fails when it runs", () => {
  assert.throws(() => selectors.matcher("device.colour == 'red'"), /undefined field 'colour'/);
  assert.throws(() => selectors.matcher("device.driver"), /must evaluate to bool/);
  const missing = selectors.matcher(`device.attributes["gpu.example.com"].nothing == "x"`);
  assert.throws(() => missing(device), /[Nn]o such key/);
});
