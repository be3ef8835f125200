import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "../policy.ts";
import { decide, readPolicy } from "./policy.ts";
import type { Rule } from "./policy.ts";

const getPods: Attributes = {
  verb: "get",
  group: "",
  version: "v1",
  resource: "pods",
  subresource: "",
  namespace: "shop",
  name: "web",
  path: "/api/v1/namespaces/shop/pods/web",
};
const scale = { ...getPods, group: "apps", resource: "deployments", subresource: "scale" };
const health: Attributes = {
  ...getPods,
  group: "",
  version: "",
  resource: "",
  namespace: "",
  name: "",
  path: "/healthz/etcd",
};
const ann = { name: "ann", groups: ["developers"] };

const cases: [Omit<Rule, "level">, Attributes, boolean][] = [
  [{}, getPods, true],
  [{}, health, true],
  [{ users: ["ann"] }, getPods, true],
  [{ users: ["bob"] }, getPods, false],
  [{ userGroups: ["ops", "developers"] }, getPods, true],
  [{ userGroups: ["ops"] }, getPods, false],
  [{ verbs: ["list"] }, getPods, false],
  [{ namespaces: ["shop"] }, getPods, true],
  [{ namespaces: [""] }, getPods, false],
  [{ namespaces: ["shop"] }, health, false],
  [{ resources: [{ resources: ["pods"] }] }, getPods, true],
  [{ resources: [{ group: "apps" }] }, getPods, false],
  [{ resources: [{ group: "apps" }] }, scale, true],
  [{ resources: [{ group: "apps", resources: ["deployments"] }] }, scale, false],
  [{ resources: [{ group: "apps", resources: ["deployments/scale"] }] }, scale, true],
  [{ resources: [{ group: "apps", resources: ["deployments/*"] }] }, scale, true],
  [{ resources: [{ group: "apps", resources: ["*/scale"] }] }, scale, true],
  [{ resources: [{ group: "apps", resources: ["*"] }] }, scale, true],
  [{ resources: [{ resources: ["pods"], resourceNames: ["db"] }] }, getPods, false],
  [{ nonResourceURLs: ["/healthz*"] }, health, true],
  [{ nonResourceURLs: ["/metrics"] }, health, false],
  [{ nonResourceURLs: ["*"] }, getPods, false],
];

test("a rule matches by user, group, verb, namespace, resource and path", () => {
  for (const [rule, asked, matches] of cases) {
    const decision = decide({ rules: [{ level: "Metadata", ...rule }] }, ann, asked);
    assert.equal(decision !== undefined, matches, JSON.stringify(rule));
  }
});

test("the first rule that matches counts, and no rule means nothing is told", () => {
  const rules: Rule[] = [
    { level: "None", users: ["bob"] },
    { level: "Request", resources: [{ resources: ["pods"] }], omitStages: ["RequestReceived"] },
    { level: "Metadata" },
  ];
  const policy = { rules, omitStages: ["ResponseStarted" as const], omitManagedFields: true };
  assert.equal(decide(policy, { ...ann, name: "bob" }, getPods), undefined);
  assert.deepEqual(decide(policy, ann, getPods), {
    level: "Request",
    omitStages: new Set(["ResponseStarted", "RequestReceived"]),
    omitManagedFields: true,
  });
  assert.equal(decide(policy, ann, health)?.level, "Metadata");
  assert.equal(decide({ rules: [] }, ann, getPods), undefined);
});

test("a policy that says what is not known is refused, field by field", () => {
  const read = (more: object) =>
    readPolicy({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [], ...more });
  assert.deepEqual(read({}).rules, []);
  const rules = [
    { level: "All", user: ["ann"] },
    { level: "None", resources: [{}], nonResourceURLs: ["/x"] },
    {},
  ];
  assert.throws(() => read({ apiVersion: "audit.k8s.io/v2", rules }), {
    message:
      "the audit policy is invalid: apiVersion: must be one of audit.k8s.io/v1; " +
      "rules[0].level: must be one of None, Metadata, Request, RequestResponse; " +
      "rules[0].user: unknown field; " +
      "rules[1].nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs; " +
      "rules[2].level: required",
  });
});
