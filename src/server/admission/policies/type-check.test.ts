import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../../../test/support/cluster.ts";
import { resource } from "../../../client/client.ts";
import { builtinKinds } from "../../../kinds/kinds.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { silent } from "../../../lib/log.ts";
import { CelScope } from "../../cel/compile.ts";
import { namedKinds, typeWarnings } from "./type-check.ts";
import { startTypeChecking } from "./type-checking.ts";

const kinds = builtinKinds();
const policies = resource("admissionregistration.k8s.io/v1", "validatingadmissionpolicies");
const rule = (apiGroups: string[], resources: string[], apiVersions = ["v1"]) => ({
  apiGroups,
  apiVersions,
  resources,
  operations: ["CREATE"],
});
const policy = (resourceRules: object[], validations: object[], more: object = {}): any => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name: "rules" },
  spec: { matchConstraints: { resourceRules }, validations, ...more },
});
const check = (given: KubeObject) =>
  typeWarnings(given, {
    kinds,
    scope: () => new CelScope(kinds.definition, { wholeMetadata: true }),
  });
const workloads = [rule(["apps"], ["deployments"]), rule(["batch"], ["jobs"])];

test("a field that one of the kinds does not have is a warning that shows the place", () => {
  const [warning, ...others] = check(
    policy(workloads, [{ expression: "object.spec.replicas > 1" }]),
  );
  assert.deepEqual(others, []);
  assert.equal(warning!.fieldRef, "spec.validations[0].expression");
  assert.equal(
    warning!.warning,
    "batch/v1, Kind=Job: ERROR: <input>:1:12: undefined field 'replicas'\n" +
      " | object.spec.replicas > 1\n | ...........^",
  );
});

for (const [expression, message] of [
  ["object.spec.replicas > '1'", /no matching overload/],
  ["object.metadata.nam == ''", /undefined field 'nam'/],
  ["params.data.limit == 1", /no matching overload/],
  ["object.metadata.labels['a'] == 'b' && object.spec.template.spec.hostNetwork", undefined],
  ["variables.x == request.name && authorizer.path('/').check('get').allowed()", undefined],
  ["oldObject == null || oldObject.spec.replicas <= object.spec.replicas", undefined],
  ["string(object.spec.replicas) == params.data.limit", undefined],
] as const) {
  test(`for Deployments, ${expression} ${message ? "is warned of" : "is fine"}`, () => {
    const paramKind = { apiVersion: "v1", kind: "ConfigMap" };
    const warnings = check(policy([workloads[0]!], [{ expression }], { paramKind }));
    if (message) assert.match(warnings[0]!.warning, message);
    else assert.deepEqual(warnings, []);
  });
}

test("rules with a star name no kinds", () => {
  const rules = [rule(["*"], ["deployments"]), rule(["apps"], ["*"]), rule([""], ["pods", "nope"])];
  assert.deepEqual(
    namedKinds(policy(rules, []), kinds).map(({ kind }) => kind),
    ["Pod"],
  );
});

let cluster: Cluster;
beforeEach(() => {
  cluster = startCluster();
  startTypeChecking({ server: cluster.server, log: silent, scope: cluster.scope });
});
afterEach(() => cluster.scope.close());

test("a policy's status tells its warnings, and again when it has changed", async () => {
  const { client } = cluster;
  await client.create(policies, policy(workloads, [{ expression: "object.spec.replicas > 1" }]));
  const checked = (generation: number) =>
    cluster.until(policies, ([one]) => one?.status?.observedGeneration === generation && one);
  const first = await checked(1);
  assert.match(first.status.typeChecking.expressionWarnings[0].warning, /Kind=Job/);
  const patch = { spec: { validations: [{ expression: "object.metadata.name != ''" }] } };
  await client.patch({ ...policies, name: "rules" }, "merge", patch);
  assert.deepEqual((await checked(2)).status.typeChecking, {});
});
