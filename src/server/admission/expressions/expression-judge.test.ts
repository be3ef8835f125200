import assert from "node:assert/strict";
import { test } from "node:test";
import { loadCel } from "../../cel/load.ts";
import { ExpressionJudge } from "./expression-judge.ts";

const bool = { results: ["bool"], hasAuthorizer: true };

/** What is told of it as a condition, "" when nothing is. */
async function told(expression: string, more: object = {}) {
  const judge = new ExpressionJudge(await loadCel(), { hasVariables: true });
  judge.variable("size", "object.spec.replicas + 1", "v", {});
  judge.variable("names", "['a'].map(one, one + 'b')", "v", {});
  const [error] = judge.errors(expression, "x", { ...bool, ...more });
  return error?.message.replace(/^Invalid value: ".*?": /, "") ?? "";
}

for (const [expression, wanted, more] of [
  ["object.spec.replicas > 1", ""],
  ["object.metadata.name.startsWith('a') && !has(object.spec.b)", ""],
  ["request.userInfo.groups.exists(g, g == 'a')", ""],
  ["request.user", "compilation failed: ERROR: <input>:1:8: undefined field 'user'"],
  ["namespaceObject.metadata.labels['a'] == 'b'", ""],
  ["namespaceObject.spec.other == 'b'", "compilation failed: ERROR: <input>:1:21: undefined field"],
  ["authorizer.requestResource.check('x').allowed()", ""],
  [
    "authorizer.requestResource.check('x').allowed()",
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer'",
    { hasAuthorizer: false },
  ],
  ["params.a == 1", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'params'"],
  ["params.a == 1", "", { hasParams: true }],
  ["variables.size > 1", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'vari"],
  ["variables.size > 1", "", { usesVariables: true }],
  ["'b' in variables.names", "", { usesVariables: true }],
  ["variables.names", "must evaluate to bool but got list(string)", { usesVariables: true }],
  [
    "variables.other",
    "compilation failed: ERROR: <input>:1:10: undefined field 'other'",
    { usesVariables: true },
  ],
  ["object.spec", "must evaluate to bool but got dyn"],
  ["1", "must evaluate to one of [string null_type] but got int", { results: ["string", "null"] }],
  ["true", ""],
  ["a b", "compilation failed: ERROR: <input>:1:3: Syntax error"],
] as [string, string, object?][]) {
  test(`${expression} ${wanted ? "is refused" : "is taken"} ${JSON.stringify(more ?? {})}`, async () => {
    const said = await told(expression, more);
    if (wanted === "") assert.equal(said, "");
    else assert.ok(said.startsWith(wanted), said);
  });
}
