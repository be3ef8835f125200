import assert from "node:assert/strict";
import { test } from "node:test";
import { resourceSliceErrors } from "./slice-validation.ts";

const pool = { name: "p", generation: 1, resourceSliceCount: 1 };
const ranged = (validRange: object, more: object = {}) => ({
  name: "d",
  allowMultipleAllocations: true,
  capacity: { m: { value: "10", requestPolicy: { default: "4", validRange, ...more } } },
});
const range = "spec.devices[0].capacity[m].requestPolicy.validRange";
const counters = { c: { value: "1" } };

for (const [what, spec, wanted] of [
  ["devices of a node", { devices: [{ name: "d" }] }, []],
  ["no devices", {}, []],
  ["devices of two sorts of place", { allNodes: true }, ["spec FieldValueInvalid"]],
  [
    "steps that end where they should",
    { devices: [ranged({ min: "2", max: "8", step: "2" })] },
    [],
  ],
  [
    "steps that miss the default and the end",
    { devices: [ranged({ min: "1", max: "9", step: "3" })] },
    [`${range}.step FieldValueInvalid`],
  ],
  [
    "a range without a start",
    { devices: [ranged({ max: "9" })] },
    [`${range}.min FieldValueRequired`],
  ],
  [
    "a range beyond what there is",
    { devices: [ranged({ min: "1", max: "11" })] },
    [`${range}.max FieldValueInvalid`],
  ],
  [
    "counters beside devices",
    { devices: [{ name: "d" }], sharedCounters: [{ name: "s", counters }] },
    ["spec FieldValueInvalid"],
  ],
  [
    "more devices than those with taints may be",
    {
      devices: Array.from({ length: 65 }, (_, i) => ({
        name: `d${i}`,
        taints: [{ key: "k", effect: "NoSchedule" }],
      })),
    },
    ["spec.devices FieldValueTooMany"],
  ],
] as [string, object, string[]][]) {
  test(`a slice with ${what} is ${wanted.length > 0 ? "refused" : "taken"}`, () => {
    const object: any = {
      metadata: { name: "s" },
      spec: { driver: "d.e", nodeName: "n", pool, ...spec },
    };
    const told = resourceSliceErrors({ object, subresource: "" });
    assert.deepEqual([...new Set(told.map(({ field, type }) => `${field} ${type}`))], wanted);
  });
}

test("where devices are never changes", () => {
  const old: any = { spec: { driver: "d.e", nodeName: "n", pool } };
  const object: any = { spec: { driver: "d.f", nodeName: "m", pool: { ...pool, name: "q" } } };
  const told = resourceSliceErrors({ object, old, subresource: "" });
  assert.deepEqual(
    told.map(({ field }) => field),
    ["spec.pool.name", "spec.driver", "spec.nodeName"],
  );
});
