import assert from "node:assert/strict";
import { test } from "node:test";
import { humanDuration } from "../../lib/human-duration.ts";
import { jsonPath } from "../../lib/json-path.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test("ages read as kubectl prints them", () => {
  const cases: [ms: number, text: string][] = [
    [0, "0s"],
    [119 * second, "119s"],
    [2 * minute + 5 * second, "2m5s"],
    [10 * minute + 5 * second, "10m"],
    [2 * hour, "120m"],
    [3 * hour + 5 * minute, "3h5m"],
    [8 * hour + 5 * minute, "8h"],
    [2 * day + 3 * hour, "2d3h"],
    [8 * day + 3 * hour, "8d"],
    [800 * day, "2y70d"],
    [-5 * second, "<invalid>"],
  ];
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text, String(ms));
});

test("printer columns find their values", () => {
  const object = {
    spec: {
      replicas: 3,
      "a.b": "dot",
      list: [
        { name: "x", n: 1 },
        { name: "y", n: 2 },
      ],
    },
    status: { conditions: [{ type: "Ready", status: "True" }] },
  };
  const cases: [path: string, values: unknown[]][] = [
    [".spec.replicas", [3]],
    ["{.spec.replicas}", [3]],
    ["spec.replicas", [3]],
    [".spec['a.b']", ["dot"]],
    [".spec.a\\.b", ["dot"]],
    [".spec.list[1].name", ["y"]],
    [".spec.list[-1].name", ["y"]],
    [".spec.list[*].n", [1, 2]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".spec.list[?(@.n==2)].name", ["y"]],
    [".spec.list[?( @.n != 2 )].name", ["x"]],
    [".spec.list[?(@.n)].name", ["x", "y"]],
    [".spec.list[?(@.m)].name", []],
    [".spec.list[?(@)].name", []],
    [".spec.list[?(@.n==)].name", []],
    [".spec.none.deeper", []],
    [".spec[", []],
  ];
  for (const [path, values] of cases) assert.deepEqual(jsonPath(path, object), values, path);
});
