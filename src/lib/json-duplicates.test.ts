import assert from "node:assert/strict";
import { test } from "node:test";
import { scanJson } from "./json-duplicates.ts";

const cases: [text: string, paths: string[], depth: number][] = [
  [`{}`, [], 1],
  [`{"a":1,"b":2}`, [], 1],
  [`{"a":1,"a":2}`, ["a"], 1],
  [`{"spec":{"x":1,"y":{"x":1},"x":3}}`, ["spec.x"], 3],
  [`{"a":[{"b":1},{"b":2,"b":3}]}`, ["a[1].b"], 3],
  [`{"a":"{\\"a\\":1,","b":"\\\\","b":1}`, ["b"], 1],
  [`{"a":["a","a"],"c":{"a":"a"}}`, [], 2],
];

test("repeated keys are named by their path, and depth is measured", () => {
  for (const [text, paths, depth] of cases) {
    JSON.parse(text);
    assert.deepEqual(scanJson(text), { paths, depth }, text);
  }
});
