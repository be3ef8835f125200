import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { Schema } from "../../kinds/schema.ts";
import { loadCel } from "../cel/load.ts";
import { compileRules, ruleErrors } from "./validation-rules.ts";

before(() => loadCel());

const rule = (text: string, more: object = {}) => ({ rule: text, ...more });
const withRules = (schema: Schema, ...rules: object[]): Schema => ({
  ...schema,
  "x-kubernetes-validations": rules as never,
});

function errorsOf(schema: Schema, value: unknown, old?: unknown): string[] {
  const node = compileRules(schema, "schema", (path, _, why) => assert.fail(`${path}: ${why}`));
  return ruleErrors(node!, value, old).map(({ field, message }) => `${field}: ${message}`);
}

function compileErrorsOf(schema: Schema): string[] {
  const found: string[] = [];
  compileRules(schema, "schema", (path, _, why) => found.push(`${path}: ${why}`));
  return found;
}

const spec: Schema = {
  type: "object",
  properties: { min: { type: "integer" }, max: { type: "integer" } },
};
const root = (below: Schema): Schema => ({ type: "object", properties: { spec: below } });

test("a rule that fails is told with its message, or with itself", () => {
  const bare = root(withRules(spec, rule("self.min <= self.max")));
  const good = { spec: { min: 1, max: 2 } };
  const bad = { spec: { min: 3, max: 2 } };
  assert.deepEqual(errorsOf(bare, good), []);
  assert.deepEqual(errorsOf(bare, bad), [
    'spec: Invalid value: "object": failed rule: self.min <= self.max',
  ]);
  const worded = root(
    withRules(spec, rule("self.min <= self.max", { message: "min over max", fieldPath: ".min" })),
  );
  assert.deepEqual(errorsOf(worded, bad), ['spec.min: Invalid value: "object": min over max']);
  const computed = rule("self.min <= self.max", {
    messageExpression: "'min %d over %d'.format([self.min, self.max])",
    reason: "FieldValueForbidden",
  });
  assert.deepEqual(errorsOf(root(withRules(spec, computed)), bad), [
    "spec: Forbidden: min 3 over 2",
  ]);
});

test("a rule of a scalar shows its value", () => {
  const schema = root({
    type: "object",
    properties: { name: withRules({ type: "string" }, rule("self.startsWith('x')")) },
  });
  assert.deepEqual(errorsOf(schema, { spec: { name: "web" } }), [
    "spec.name: Invalid value: \"web\": failed rule: self.startsWith('x')",
  ]);
});

test("a rule about a change is asked where the old value is found again", () => {
  const schema = root(
    withRules(spec, rule("self.min >= oldSelf.min", { message: "min may not fall" })),
  );
  assert.deepEqual(errorsOf(schema, { spec: { min: 1 } }), []);
  assert.deepEqual(errorsOf(schema, { spec: { min: 1 } }, { spec: { min: 1 } }), []);
  assert.equal(errorsOf(schema, { spec: { min: 1 } }, { spec: { min: 2 } }).length, 1);
});

test("items of a list-map are found again by their keys, others never", () => {
  const items: Schema = withRules(
    { type: "object", properties: { name: { type: "string" }, size: { type: "integer" } } },
    rule("self.size >= oldSelf.size"),
  );
  const list = (more: object): Schema => ({ type: "array", items, ...more });
  const keyed = list({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
  const old = {
    spec: [
      { name: "a", size: 5 },
      { name: "b", size: 5 },
    ],
  };
  const next = {
    spec: [
      { name: "b", size: 1 },
      { name: "a", size: 9 },
    ],
  };
  assert.deepEqual(errorsOf(root(keyed), next, old), [
    'spec[0]: Invalid value: "object": failed rule: self.size >= oldSelf.size',
  ]);
  assert.deepEqual(errorsOf(root(list({})), next, old), []);
});

test("what a write leaves as it was is not judged again", () => {
  const schema = root(withRules(spec, rule("self.min <= self.max")));
  const bad = { spec: { min: 3, max: 2 } };
  assert.deepEqual(errorsOf(schema, bad, structuredClone(bad)), []);
  assert.equal(errorsOf(schema, { spec: { min: 4, max: 2 } }, bad).length, 1);
});

test("values of a map are judged one by one", () => {
  const values = withRules({ type: "integer" }, rule("self > 0", { message: "must be positive" }));
  const schema = root({ type: "object", additionalProperties: values });
  assert.deepEqual(errorsOf(schema, { spec: { good: 1, bad: -1 } }), [
    "spec[bad]: Invalid value: -1: must be positive",
  ]);
});

test("rules that do not compile are named with their place", () => {
  const wrong = root(withRules(spec, rule("self.z > 1"), rule("self.min >"), rule("self.min")));
  const at = "schema.properties[spec].x-kubernetes-validations";
  const found = compileErrorsOf(wrong);
  assert.equal(found[0], `${at}[0].rule: compilation failed: undefined field 'z'`);
  assert.match(found[1]!, /\[1\]\.rule: compilation failed: Syntax error: /);
  assert.equal(found[2], `${at}[2].rule: compilation failed: must evaluate to bool`);
});

test("a rule that costs too much is an error of the object", () => {
  const list: Schema = { type: "array", maxItems: 3000, items: { type: "integer" } };
  const schema = root({
    type: "object",
    properties: { list: withRules(list, rule("self.all(a, self.all(b, a + b >= 0))")) },
  });
  const value = { spec: { list: Array.from({ length: 3000 }, (_, i) => i) } };
  assert.match(errorsOf(schema, value)[0]!, /call cost exceeds limit/);
});
