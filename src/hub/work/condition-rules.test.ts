import assert from "node:assert/strict";
import { before, test } from "node:test";
import { loadObjectRules } from "../../server/cel/object-rules.ts";
import { isOutdated, ruledConditions } from "./condition-rules.ts";
import type { ConditionRule, EvaluateRule } from "./condition-rules.ts";

let evaluate: EvaluateRule;
before(async () => {
  evaluate = await loadObjectRules();
});

const one = (rule: ConditionRule, live: object, kind = "Thing", group = "example.org") =>
  ruledConditions([rule], { live, group, kind }, evaluate)[0]!;
const wellKnown: ConditionRule = { type: "WellKnownConditions", condition: "Complete" };
const ended = (type: string, status = "True") => ({ status: { conditions: [{ type, status }] } });

for (const [what, kind, live, status, message] of [
  ["a Job that did it", "Job", ended("Complete"), "True", "Job is finished"],
  ["a Job that failed", "Job", ended("Failed"), "True", "Job is finished"],
  ["a Job at work", "Job", ended("Failed", "False"), "False", "Job is not finished"],
  ["a new Job", "Job", {}, "False", "Job is not finished"],
  ["a Pod at work", "Pod", { status: { phase: "Running" } }, "False", "Pod is in phase Running"],
  ["a Pod that ended", "Pod", { status: { phase: "Failed" } }, "True", "Pod is in phase Failed"],
] as const) {
  test(`${what} is ${status === "True" ? "" : "not "}complete`, () => {
    const group = kind === "Job" ? "batch" : "";
    const condition = one(wellKnown, live, kind, group);
    assert.deepEqual([condition.status, condition.message], [status, message]);
    assert.equal(condition.reason, "ConditionRuleEvaluated");
  });
}

test("all expressions must hold, and the message is an expression, a text, or ours", () => {
  const rule = { type: "CEL", condition: "Ready" };
  const live = { spec: { n: 2 }, status: { n: 2 } };
  const celExpressions = ["object.spec.n == 2", "object.status.n == object.spec.n"];
  assert.equal(one({ ...rule, celExpressions }, live).message, "Manifest is Ready");
  const none = one({ ...rule, celExpressions: [...celExpressions, "object.spec.n > 2"] }, live);
  assert.deepEqual([none.status, none.message], ["False", "Manifest is not Ready"]);
  const said = { ...rule, celExpressions, message: "as I say" };
  assert.equal(one(said, live).message, "as I say");
  const messageExpression = 'string(object.spec.n) + (result ? " of 2" : "")';
  assert.equal(one({ ...said, messageExpression }, live).message, "2 of 2");
});

test("a rule that cannot be read, asks what is not there, or tells no truth says so", () => {
  const rule = { type: "CEL", condition: "Ready" };
  for (const [expression, message] of [
    ["object.", /Expected/],
    ["object.status.n > 1", /status/],
    ["object.spec", /bool/],
    ["[1,2,3].map(a, [1,2,3].map(b, a)).size() > nobody", /nobody/],
  ] as const) {
    const condition = one({ ...rule, celExpressions: [expression] }, { spec: {} });
    assert.deepEqual(
      [condition.status, condition.reason],
      ["False", "ConditionRuleExpressionError"],
    );
    assert.match(condition.message, message);
  }
  const strange = one(wellKnown, {});
  assert.deepEqual([strange.status, strange.reason], ["Unknown", "ConditionRuleInvalid"]);
  assert.match(strange.message, /Thing/);
});

test("conditions of rules of earlier contents are outdated, others never", () => {
  const condition = { type: "Ready", status: "True" as const, message: "" };
  const ruled = { ...condition, reason: "ConditionRuleEvaluated", observedGeneration: 1 };
  assert.equal(isOutdated(ruled, 2), true);
  assert.equal(isOutdated(ruled, 1), false);
  assert.equal(isOutdated({ ...condition, reason: "Other" }, 2), false);
});
