import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../../../test/support/cluster.ts";
import { resource } from "../../../client/client.ts";
import { builtinKinds } from "../../../kinds/kinds.ts";
import type { Admission, Authorize } from "../../policy.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { objectReader } from "../object-reader.ts";
import { judgeExpressions } from "../expressions/judge-expressions.ts";
import { mutatingPolicies } from "./mutating.ts";
import { validatingPolicies } from "./validating.ts";

const group = "admissionregistration.k8s.io/v1";
const policies = resource(group, "validatingadmissionpolicies");
const policyBindings = resource(group, "validatingadmissionpolicybindings");
const deployments = { ...resource("apps/v1", "deployments"), namespace: "default" };
const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };

/** Only deployers may deploy; the account `default/boss` may do everything; paths are for nobody. */
const authorize: Authorize = async (user, { verb, resource, namespace }) => {
  if (resource === "broken") throw new Error("the authorizer sleeps");
  const boss = user.name === "system:serviceaccount:default:boss";
  const allowed = boss || (verb === "deploy" && resource === "deployments" && namespace !== "");
  return { allowed, reason: allowed ? "so be it" : "" };
};

let cluster: Cluster;
/** What went into the audit log. */
let notes: Map<string, string>;
beforeEach(() => {
  notes = new Map();
  cluster = startCluster({
    admission: (parts) => {
      const options = { reader: objectReader(parts.store), kinds: builtinKinds(), authorize };
      const { name, validate } = validatingPolicies(options);
      const heard: Admission = {
        name,
        validate: (request) =>
          validate!({ ...request, annotate: (key, value) => void notes.set(key, value) }),
      };
      return [mutatingPolicies(options), judgeExpressions, heard];
    },
  });
});
afterEach(() => cluster.scope.close());

const rule = {
  operations: ["CREATE", "UPDATE"],
  apiGroups: ["apps"],
  apiVersions: ["v1"],
  resources: ["deployments"],
};

async function enforce(spec: object, binding: object = {}) {
  await cluster.client.create(policies, {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "rules" },
    spec: { matchConstraints: { resourceRules: [rule] }, ...spec },
  });
  await cluster.client.create(policyBindings, {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "everywhere" },
    spec: { policyName: "rules", validationActions: ["Deny"], ...binding },
  });
}

const deploy = (replicas: number, name = "web") =>
  cluster.client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "main", image: "app" }] },
      },
    },
  });

test("what a policy does not allow is refused with its message", async () => {
  await enforce({
    validations: [
      {
        expression: "object.spec.replicas > 1",
        messageExpression: "'wants more than 1, got ' + string(object.spec.replicas)",
      },
    ],
  });
  await assert.rejects(deploy(1), (error) => {
    assert.ok(isStatus(error, "Invalid"));
    assert.equal(
      error.message,
      `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'rules' with binding 'everywhere' denied request: wants more than 1, got 1`,
    );
    return true;
  });
  await deploy(2);
});

test("a policy's reason is the reason of the refusal, and its text stands in for a message", async () => {
  await enforce({ validations: [{ expression: "object.spec.replicas > 1", reason: "Forbidden" }] });
  await assert.rejects(deploy(1), (error) => {
    assert.ok(isStatus(error, "Forbidden"));
    assert.match(error.message, /failed expression: object.spec.replicas > 1/);
    return true;
  });
});

test("variables are computed from each other, and only when they are asked for", async () => {
  await enforce({
    variables: [
      { name: "replicas", expression: "object.spec.replicas" },
      { name: "odd", expression: "variables.replicas % 2 == 1" },
      { name: "broken", expression: "object.spec.nothing.there" },
    ],
    validations: [{ expression: "variables.replicas > 1" }, { expression: "variables.odd" }],
  });
  await assert.rejects(deploy(2), /failed expression: variables.odd/);
  await deploy(3);
});

test("parameters come from the object that the binding names", async () => {
  const limits = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "limits" },
    data: { max: "5" },
  };
  await cluster.client.create(configMaps, limits);
  await enforce(
    {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      validations: [{ expression: "object.spec.replicas <= int(params.data.max)" }],
    },
    { paramRef: { name: "limits", namespace: "default", parameterNotFoundAction: "Deny" } },
  );
  await assert.rejects(deploy(6), /failed expression/);
  await deploy(5);
  await cluster.client.delete({ ...configMaps, name: "limits" });
  await assert.rejects(deploy(1, "other"), /no params found/);
});

test("a policy sees who asks, what was before and the namespace; conditions leave requests out", async () => {
  await enforce({
    matchConditions: [{ name: "not-ours", expression: "request.userInfo.username != 'nobody'" }],
    validations: [
      { expression: "oldObject == null || object.spec.replicas >= oldObject.spec.replicas" },
      { expression: "namespaceObject == null || namespaceObject.metadata.name == 'default'" },
      { expression: "request.operation in ['CREATE', 'UPDATE'] && request.name != ''" },
    ],
  });
  const object = await deploy(3);
  await assert.rejects(
    cluster.client.patch({ ...deployments, name: object.metadata.name }, "merge", {
      spec: { replicas: 1 },
    }),
    /oldObject.spec.replicas/,
  );
});

test("an expression that fails refuses or is ignored, as the policy says", async () => {
  const broken = { validations: [{ expression: "object.spec.nothing.there == 1" }] };
  await enforce(broken);
  await assert.rejects(deploy(1), /resulted in error: /);
  await cluster.client.delete({ ...policies, name: "rules" });
  await cluster.client.delete({ ...policyBindings, name: "everywhere" });
  await enforce({ ...broken, failurePolicy: "Ignore" });
  await deploy(1);
});

for (const [expression, holds] of [
  ["authorizer.requestResource.check('deploy').allowed()", true],
  ["authorizer.requestResource.check('create').allowed()", false],
  ["authorizer.group('apps').resource('deployments').check('deploy').allowed()", false],
  [
    "authorizer.group('apps').resource('deployments').namespace('x').name('y').check('deploy').reason() == 'so be it'",
    true,
  ],
  ["authorizer.path('/healthz').check('get').allowed()", false],
  ["authorizer.serviceAccount('default', 'boss').path('/healthz').check('get').allowed()", true],
  [
    "authorizer.group('').resource('broken').subresource('status').check('get').errored() && !authorizer.path('/').check('get').errored()",
    true,
  ],
  [
    "authorizer.requestResource.check(authorizer.requestResource.check('deploy').allowed() ? 'deploy' : 'other').allowed()",
    true,
  ],
  ["variables.may.allowed()", true],
] as const) {
  test(`a policy asks the authorizer: ${expression} is ${holds}`, async () => {
    await enforce({
      variables: [{ name: "may", expression: "authorizer.requestResource.check('deploy')" }],
      validations: [{ expression }],
    });
    if (holds) await deploy(1);
    else await assert.rejects(deploy(1), /failed expression/);
  });
}

test("a binding that only warns lets pass", async () => {
  await enforce(
    { validations: [{ expression: "object.spec.replicas > 1" }] },
    { validationActions: ["Warn", "Audit"] },
  );
  await deploy(1);
});

test("a policy that does not compile is refused with the place of the mistake", async () => {
  const wrong = enforce({
    validations: [{ expression: "object.spec.replicas >", messageExpression: "1" }],
    variables: [{ name: "x", expression: "nobody" }],
  });
  await assert.rejects(wrong, (error) => {
    assert.ok(isStatus(error, "Invalid"));
    assert.deepEqual(
      error.details?.causes?.map(({ field }) => field),
      [
        "spec.variables[0].expression",
        "spec.validations[0].expression",
        "spec.validations[0].messageExpression",
      ],
    );
    return true;
  });
});

async function change(spec: object) {
  await cluster.client.create(resource(group, "mutatingadmissionpolicies"), {
    apiVersion: group,
    kind: "MutatingAdmissionPolicy",
    metadata: { name: "changes" },
    spec: { matchConstraints: { resourceRules: [rule] }, reinvocationPolicy: "Never", ...spec },
  });
  await cluster.client.create(resource(group, "mutatingadmissionpolicybindings"), {
    apiVersion: group,
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name: "everywhere" },
    spec: { policyName: "changes" },
  });
}

const applies = (expression: string) => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression },
});

test("a mutating policy lays its configuration over the object, lists by their keys", async () => {
  await change({
    mutations: [
      applies("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}"),
      applies(
        `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
          containers: [Object.spec.template.spec.containers{name: "sidecar", image: "mesh"}]
        }}}}`,
      ),
    ],
  });
  const { spec } = await deploy(1);
  assert.equal(spec.replicas, 2);
  const names = spec.template.spec.containers.map(({ name, image }: any) => `${name}=${image}`);
  assert.deepEqual(names.sort(), ["main=app", "sidecar=mesh"]);
});

test("a mutating policy may give a JSON patch, and see what others before it changed", async () => {
  await change({
    variables: [{ name: "key", expression: "'/metadata/labels'" }],
    mutations: [
      applies("Object{spec: Object.spec{paused: true}}"),
      {
        patchType: "JSONPatch",
        jsonPatch: {
          expression:
            "[JSONPatch{op: 'add', path: variables.key, value: {'paused': string(object.spec.paused)}}]",
        },
      },
    ],
  });
  const { metadata } = await deploy(1);
  assert.deepEqual(metadata.labels, { paused: "true" });
});

test("a mutation that fails refuses the request", async () => {
  await change({
    mutations: [applies("Object{spec: Object.spec{replicas: object.nothing.there}}")],
  });
  await assert.rejects(
    deploy(1),
    /MutatingAdmissionPolicy 'changes' with binding 'everywhere' denied request/,
  );
});

test("a policy's audit annotations are recorded under its name, and one that fails refuses", async () => {
  await enforce({
    validations: [{ expression: "true" }],
    auditAnnotations: [
      { key: "replicas", valueExpression: "'has ' + string(object.spec.replicas)" },
      { key: "nothing", valueExpression: "null" },
    ],
  });
  await deploy(2);
  assert.deepEqual([...notes], [["rules/replicas", "has 2"]]);
  await cluster.client.patch({ ...policies, name: "rules" }, "merge", {
    spec: {
      auditAnnotations: [{ key: "x", valueExpression: "string(object.spec.nothing.there)" }],
    },
  });
  await assert.rejects(deploy(1, "other"), /resulted in error/);
});
