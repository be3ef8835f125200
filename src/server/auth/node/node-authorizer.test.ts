import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../../../lib/scope.ts";
import { memoryStore } from "../../../store/memory.ts";
import { body } from "../../../../test/contract/store.ts";
import type { Attributes } from "../../policy.ts";
import { NodeGraph } from "./node-graph.ts";
import { nodeAuthorizer } from "./node-authorizer.ts";
import { referencesOf } from "./pod-references.ts";

const rule = (resources: string[], apiGroups = [""]) => ({ verbs: ["*"], apiGroups, resources });
const rules = [
  rule(["nodes", "nodes/status", "pods", "pods/status", "secrets", "services"]),
  rule(["leases"], ["coordination.k8s.io"]),
];
const pod = (name: string, node: string, spec: object) => ({
  metadata: { name, namespace: "default" },
  spec: { nodeName: node, containers: [{ name: "c" }], ...spec },
});

async function setUp() {
  const store = memoryStore();
  const scope = new Scope();
  scope.defer(() => store.close());
  const put = (key: string, object: object) => {
    const json = JSON.stringify(object).slice(1);
    const head = '{"metadata":{';
    const rest = json.replace('"metadata":{', "");
    return store.create(key, { bytes: Buffer.from(head + rest), revisionAt: head.length });
  };
  const graph = NodeGraph.open(store, scope);
  const authorize = nodeAuthorizer(
    () => graph,
    () => rules,
    async () => ({ allowed: false, reason: "" }),
  );
  const may = async (what: string, user = "system:node:a", groups = ["system:nodes"]) => {
    const [verb, resource, at = ""] = what.split(" ");
    const [plural, subresource = ""] = resource!.split("/");
    const [name, group = ""] = plural!.split(/\.(.*)/);
    const [namespace, object] = at.includes("/") ? at.split("/") : ["", at];
    const asked = {
      verb,
      group,
      version: "v1",
      resource: name,
      subresource,
      namespace,
      name: object,
    };
    return (await authorize({ name: user, groups }, { ...asked, path: "/api/v1/x" } as Attributes))
      .allowed;
  };
  return { put, may, scope, store };
}

test("a node reads what its pods refer to, while they are there, and nothing else", async (t) => {
  const { put, may, scope, store } = await setUp();
  t.after(() => scope.close());
  const volumes = [
    { name: "s", secret: { secretName: "mine" } },
    { name: "p", persistentVolumeClaim: { claimName: "disk" } },
  ];
  const { revision } = await put(
    "pods/default/web",
    pod("web", "a", { volumes, serviceAccountName: "web" }),
  );
  await put("pods/default/other", pod("other", "b", { imagePullSecrets: [{ name: "theirs" }] }));
  await put("persistentvolumeclaims/default/disk", {
    metadata: { name: "disk" },
    spec: { volumeName: "pv-1" },
  });
  const expected: [boolean, string][] = [
    [true, "get secrets default/mine"],
    [true, "watch secrets default/mine"],
    [false, "list secrets default/"],
    [false, "update secrets default/mine"],
    [false, "get secrets default/theirs"],
    [false, "get secrets kube-system/mine"],
    [true, "get persistentvolumeclaims default/disk"],
    [true, "get persistentvolumes pv-1"],
    [false, "get persistentvolumes pv-2"],
    [true, "create serviceaccounts/token default/web"],
    [false, "create serviceaccounts/token default/admin"],
    [true, "list services"],
    [true, "update nodes/status a"],
    [false, "update nodes/status b"],
    [false, "delete nodes b"],
    [true, "update leases.coordination.k8s.io kube-node-lease/a"],
    [false, "update leases.coordination.k8s.io kube-node-lease/b"],
    [false, "update leases.coordination.k8s.io kube-system/a"],
  ];
  for (const [allowed, what] of expected) assert.equal(await may(what), allowed, what);
  assert.equal(await may("get secrets default/mine", "system:node:b"), false);
  assert.equal(await may("list services", "system:node:a", []), false, "the group makes the node");
  await store.delete("pods/default/web", revision, body(0));
  assert.equal(await may("get secrets default/mine"), false);
  assert.equal(await may("get persistentvolumes pv-1"), false);
});

test("every way in which a pod refers to something is seen", () => {
  const references = referencesOf({
    metadata: { namespace: "n", name: "p" },
    status: { resourceClaimStatuses: [{ name: "gpu", resourceClaimName: "p-gpu" }] },
    spec: {
      serviceAccountName: "sa",
      imagePullSecrets: [{ name: "pull" }],
      initContainers: [{ env: [{ valueFrom: { secretKeyRef: { name: "env" } } }] }],
      containers: [{ envFrom: [{ configMapRef: { name: "all" } }] }],
      volumes: [
        { name: "e", ephemeral: {} },
        { projected: { sources: [{ secret: { name: "part" } }, { configMap: { name: "conf" } }] } },
      ],
      resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "t" }],
    },
  } as never);
  assert.deepEqual([...references].sort(), [
    "configmaps/n/all",
    "configmaps/n/conf",
    "persistentvolumeclaims/n/p-e",
    "resourceclaims.resource.k8s.io/n/p-gpu",
    "secrets/n/env",
    "secrets/n/part",
    "secrets/n/pull",
    "serviceaccounts/n/sa",
  ]);
});
