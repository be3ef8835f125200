import assert from "node:assert/strict";
import { test } from "node:test";
import { flowSchemaErrors, priorityLevelErrors } from "./validation.ts";

const said = (errors: readonly { field: string; message: string }[]) =>
  errors.map(({ field, message }) => `${field}: ${message}`);

const rule = {
  subjects: [{ kind: "User", user: { name: "jane" } }],
  resourceRules: [
    { verbs: ["get"], apiGroups: ["*"], resources: ["pods"], namespaces: ["default"] },
  ],
};
const schema = {
  matchingPrecedence: 1000,
  priorityLevelConfiguration: { name: "workload-low" },
  rules: [rule],
};
const queuing = { queues: 64, handSize: 8, queueLengthLimit: 50 };
const level = {
  type: "Limited",
  limited: { nominalConcurrencyShares: 30, limitResponse: { type: "Queue", queuing } },
};
const limited = (limitResponse: object, more: object = {}) => ({
  type: "Limited",
  limited: { nominalConcurrencyShares: 30, limitResponse, ...more },
});
const withRule = (more: object) => ({ ...schema, rules: [{ ...rule, ...more }] });

for (const [what, spec, wanted] of [
  ["a whole schema", schema, undefined],
  ["no precedence", { ...schema, matchingPrecedence: 0 }, /matchingPrecedence: .*positive value/],
  ["a late precedence", { ...schema, matchingPrecedence: 10_001 }, /not be greater than 10000/],
  ["the first precedence", { ...schema, matchingPrecedence: 1 }, /only the schema named 'exempt'/],
  ["no level", { ...schema, priorityLevelConfiguration: {} }, /must reference a priority level/],
  ["an unknown method", { ...schema, distinguisherMethod: { type: "ByIP" } }, /"ByNamespace"/],
  ["a rule about nobody", withRule({ subjects: [] }), /rules\[0\].subjects: Required value/],
  ["a rule about nothing", withRule({ resourceRules: [] }), /at least one of resourceRules and/],
  [
    "a subject that says something else",
    withRule({ subjects: [{ kind: "User", group: { name: "x" } }] }),
    /group is forbidden when.*user is required when/,
  ],
  [
    "an asterisk and more",
    withRule({ resourceRules: [{ ...rule.resourceRules[0], verbs: ["*", "get"] }] }),
    /if '\*' is present, must not specify other verbs/,
  ],
  [
    "no namespaces",
    withRule({ resourceRules: [{ ...rule.resourceRules[0], namespaces: [] }] }),
    /must supply at least one namespace/,
  ],
  [
    "a path that is none",
    withRule({ nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/a*b", "b"] }] }),
    /suffix matching.*must start with slash/,
  ],
] as [string, object, RegExp | undefined][]) {
  test(`a FlowSchema with ${what} is ${wanted ? "refused" : "taken"}`, () => {
    const object = { metadata: { name: "mine" }, spec } as never;
    const errors = said(flowSchemaErrors({ object } as never));
    if (wanted) assert.match(errors.join("; "), wanted);
    else assert.deepEqual(errors, []);
  });
}

for (const [what, spec, wanted] of [
  ["queues", level, undefined],
  ["no queues", limited({ type: "Reject" }), undefined],
  ["nothing that limits", { type: "Limited" }, /spec.limited: .*must not be empty/],
  ["a type of its own", { type: "Exempt" }, /if and only if .name. is 'exempt'/],
  ["queues that are not used", limited({ type: "Reject", queuing }), /must be nil if/],
  ["queues that are not there", limited({ type: "Queue" }), /queuing: Required value/],
  [
    "no length",
    limited({ type: "Queue", queuing: { ...queuing, queueLengthLimit: 0 } }),
    /positive/,
  ],
  [
    "a large hand",
    limited({ type: "Queue", queuing: { ...queuing, handSize: 65 } }),
    /queues \(64\)/,
  ],
  [
    "too many hands",
    limited({ type: "Queue", queuing: { ...queuing, handSize: 12 } }),
    /entropy bits/,
  ],
  ["more to lend than it has", limited({ type: "Reject" }, { lendablePercent: 101 }), /0 and 100/],
] as [string, object, RegExp | undefined][]) {
  test(`a priority level with ${what} is ${wanted ? "refused" : "taken"}`, () => {
    const object = { metadata: { name: "mine" }, spec } as never;
    const errors = said(priorityLevelErrors({ object } as never));
    if (wanted) assert.match(errors.join("; "), wanted);
    else assert.deepEqual(errors, []);
  });
}
