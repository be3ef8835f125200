import assert from "node:assert/strict";
import { test } from "node:test";
import { asMaps } from "./struct-literals.ts";

const table: [expression: string, maps: string][] = [
  ["Object{spec: Object.spec{replicas: 3}}", '{"spec": {"replicas": 3}}'],
  [
    'Object{metadata: Object.metadata{annotations: {"a": "Object{b: 1}"}, name: object.name}}',
    '{"metadata": {"annotations": {"a": "Object{b: 1}"}, "name": object.name}}',
  ],
  [
    "[JSONPatch{op: 'add', path: '/x', value: Object.spec{a: f(b, c ? d : e), g: [h, i]}}]",
    '[{"op": \'add\', "path": \'/x\', "value": {"a": f(b, c ? d : e), "g": [h, i]}}]',
  ],
  ["object.spec.replicas > 1 ? {'a': b} : {c: d}", "object.spec.replicas > 1 ? {'a': b} : {c: d}"],
  ["Object{\n  spec: // Object{x: 1}\n  Object.spec{}}", '{\n  "spec": // Object{x: 1}\n  {}}'],
  ["has(object.Object) && Objects", "has(object.Object) && Objects"],
];

for (const [expression, maps] of table) {
  test(`${expression} reads as maps`, () => assert.equal(asMaps(expression), maps));
}
