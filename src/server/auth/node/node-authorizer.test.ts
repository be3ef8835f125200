import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeAuthorizer } from "./node-authorizer.ts";
import { NodeGraph } from "./node-graph.ts";

const webPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop" },
  spec: {
    nodeName: "edge-1",
    serviceAccountName: "clerk",
    imagePullSecrets: [{ name: "registry" }],
    containers: [
      {
        name: "main",
        env: [{ name: "A", valueFrom: { secretKeyRef: { name: "by-env", key: "a" } } }],
        envFrom: [{ configMapRef: { name: "settings" } }],
      },
    ],
    volumes: [
      { name: "tls", projected: { sources: [{ secret: { name: "by-projection" } }] } },
      { name: "data", persistentVolumeClaim: { claimName: "data" } },
      { name: "scratch", ephemeral: {} },
    ],
  },
};

const objects: Record<string, object> = {
  "pods/shop/web": webPod,
  "persistentvolumeclaims/shop/data": { metadata: {}, spec: { volumeName: "disk" } },
  "persistentvolumes/disk": {
    metadata: {},
    spec: {
      claimRef: { namespace: "shop", name: "data" },
      csi: { nodeStageSecretRef: { namespace: "vault", name: "disk-key" } },
    },
  },
  "volumeattachments.storage.k8s.io/a": { metadata: {}, spec: { nodeName: "edge-1" } },
};

function setUp() {
  const graph = new NodeGraph({
    get: async (key: string) =>
      objects[key] && { key, value: Buffer.from(JSON.stringify(objects[key])), revision: 1 },
  } as any);
  graph.apply("shop/web", webPod as any);
  const authorize = nodeAuthorizer(
    async () => graph,
    async () => ({ allowed: false, reason: "" }),
  );
  const may = async (node: string, question: string, fieldSelector?: string) => {
    const [verb = "", what = "", where = ""] = question.split(" ");
    const [resource = "", subresource = ""] = what.split("/");
    const [plural = "", ...group] = resource.split(".");
    const slash = where.indexOf("/");
    const asked = {
      verb,
      group: group.join("."),
      version: "v1",
      resource: plural,
      subresource,
      namespace: slash < 0 ? "" : where.slice(0, slash),
      name: where.slice(slash + 1),
      path: "",
      ...(fieldSelector && { fieldSelector }),
    };
    const user = { name: `system:node:${node}`, groups: ["system:nodes"] };
    return (await authorize(user, asked)).allowed;
  };
  return { graph, may };
}

test("a node reads what its pods name, and another node does not", async () => {
  const { may } = setUp();
  const reached = [
    "get secrets shop/registry",
    "watch secrets shop/by-env",
    "list secrets shop/by-projection",
    "get secrets vault/disk-key",
    "get configmaps shop/settings",
    "get persistentvolumeclaims shop/data",
    "get persistentvolumeclaims shop/web-scratch",
    "patch persistentvolumeclaims/status shop/data",
    "get persistentvolumes disk",
    "create serviceaccounts/token shop/clerk",
    "get pods shop/web",
    "get volumeattachments.storage.k8s.io a",
  ];
  for (const question of reached) {
    assert.equal(await may("edge-1", question), true, question);
    assert.equal(await may("edge-2", question), false, question);
  }
});

test("a node does not read beyond its pods", async () => {
  const { may } = setUp();
  const beyond = [
    "get secrets other/registry",
    "get secrets shop/other",
    "list secrets shop/",
    "list secrets ",
    "update secrets shop/registry",
    "delete configmaps shop/settings",
    "list configmaps shop/",
    "create serviceaccounts/token shop/default",
    "list pods ",
    "create clusterrolebindings.rbac.authorization.k8s.io x",
  ];
  for (const question of beyond) assert.equal(await may("edge-1", question), false, question);
});

test("a node has its own Node, Lease, CSINode and list of pods", async () => {
  const { may } = setUp();
  const table: [string, string | undefined, boolean][] = [
    ["get nodes edge-1", undefined, true],
    ["get nodes edge-2", undefined, false],
    ["watch nodes edge-1", "metadata.name=edge-1", true],
    ["list nodes ", undefined, false],
    ["create nodes ", undefined, true],
    ["update nodes/status edge-2", undefined, false],
    ["delete nodes edge-1", undefined, false],
    ["update leases.coordination.k8s.io kube-node-lease/edge-1", undefined, true],
    ["update leases.coordination.k8s.io kube-node-lease/edge-2", undefined, false],
    ["get leases.coordination.k8s.io default/edge-1", undefined, false],
    ["get csinodes.storage.k8s.io edge-1", undefined, true],
    ["get csinodes.storage.k8s.io edge-2", undefined, false],
    ["list pods ", "spec.nodeName=edge-1", true],
    ["watch pods ", "status.phase=Running,spec.nodeName=edge-1", true],
    ["list pods ", "spec.nodeName=edge-2", false],
    ["list pods ", "spec.nodeName!=edge-1", false],
    ["list services ", undefined, true],
    ["patch pods/status shop/web", undefined, true],
  ];
  for (const [question, selector, expected] of table) {
    assert.equal(await may("edge-1", question, selector), expected, `${question} ${selector}`);
  }
});

test("what a pod named is out of reach once it is gone or elsewhere", async () => {
  const { graph, may } = setUp();
  const moved = { ...webPod, spec: { ...webPod.spec, nodeName: "edge-2" } };
  graph.apply("shop/web", moved as any);
  assert.equal(await may("edge-1", "get secrets shop/registry"), false);
  assert.equal(await may("edge-2", "get secrets shop/registry"), true);
  graph.apply("shop/web", undefined);
  assert.equal(await may("edge-2", "get secrets shop/registry"), false);
});

test("a member of system:nodes without a node's name gets nothing from being one", async () => {
  const graph = new NodeGraph({} as any);
  const after = async () => ({ allowed: false, reason: "asked RBAC" });
  const authorize = nodeAuthorizer(async () => graph, after);
  const asked = { verb: "list", group: "", version: "v1", resource: "services" };
  const rest = { subresource: "", namespace: "", name: "", path: "" };
  const answer = await authorize({ name: "eve", groups: ["system:nodes"] }, { ...asked, ...rest });
  assert.deepEqual(answer, { allowed: false, reason: "asked RBAC" });
});
