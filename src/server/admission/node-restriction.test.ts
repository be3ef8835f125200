import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { AdmissionRequest } from "../policy.ts";
import { forbiddenLabels, nodeRestriction, refusedMirrorPod } from "./node-restriction.ts";

const kinds = builtinKinds();
const resources: Record<string, [group: string, version: string]> = {
  nodes: ["", "v1"],
  pods: ["", "v1"],
  leases: ["coordination.k8s.io", "v1"],
  csinodes: ["storage.k8s.io", "v1"],
  persistentvolumeclaims: ["", "v1"],
};

const podOn = (nodeName: string, labels: object = {}) => ({
  metadata: { name: "web", labels },
  spec: { nodeName },
});

interface Write {
  object?: object;
  old?: object;
  user?: string;
  namespace?: string;
}

/** Judges `OPERATION RESOURCE[/SUBRESOURCE] NAME` by the agent of edge-1. */
async function judge(what: string, write: Write = {}) {
  const [operation = "", path = "", name = ""] = what.split(" ");
  const [plural = "", subresource = ""] = path.split("/");
  const pods: Record<string, any> = {
    "pods/default/mine": podOn("edge-1"),
    "pods/default/theirs": podOn("edge-2"),
  };
  const reader = { get: async (key: string) => pods[key], list: async () => [] };
  const { user = "system:node:edge-1", namespace = "default", ...objects } = write;
  await nodeRestriction(reader).validate!({
    kind: kinds.get(resources[plural]![0], resources[plural]![1], plural),
    operation,
    name,
    namespace,
    subresource,
    user: { name: user, groups: user === "jane" ? [] : ["system:nodes"] },
    ...objects,
  } as unknown as AdmissionRequest);
}

const node = (name: string, labels: object = {}, taints: object[] = []) => ({
  metadata: { name, labels },
  spec: { taints },
});

test("a node writes its own Node, Lease and CSINode and no other's", async () => {
  const leases = { namespace: "kube-node-lease" };
  await judge("CREATE nodes edge-1", { object: node("edge-1") });
  await judge("UPDATE leases edge-1", leases);
  await judge("UPDATE csinodes edge-1");
  await judge("UPDATE nodes edge-2", { user: "jane", object: node("edge-2") });
  const table: [string, Write, RegExp][] = [
    ["UPDATE nodes edge-2", { object: node("edge-2") }, /not allowed to modify node "edge-2"/],
    ["DELETE nodes edge-2", {}, /not allowed to modify node "edge-2"/],
    ["UPDATE leases edge-2", leases, /can only access node lease with the same name/],
    ["UPDATE leases edge-1", {}, /in the "kube-node-lease" system namespace/],
    ["UPDATE csinodes edge-2", {}, /can only access CSINode with the same name/],
    ["UPDATE nodes a", { user: "x" }, /could not determine node from user "x"/],
  ];
  for (const [what, write, message] of table) {
    await assert.rejects(judge(what, write), { reason: "Forbidden", message }, what);
  }
});

test("a node does not lift its taints nor take labels that say where work may go", async () => {
  const tainted = node("edge-1", {}, [{ key: "a", effect: "NoSchedule" }]);
  await assert.rejects(judge("UPDATE nodes edge-1", { object: node("edge-1"), old: tainted }), {
    message: /is not allowed to modify taints/,
  });
  const table: [Record<string, string>, string[]][] = [
    [{ "kubernetes.io/os": "linux", "example.com/a": "1", plain: "1" }, []],
    [{ "kubelet.kubernetes.io/a": "1", "x.node.kubernetes.io/b": "1" }, []],
    [{ "node-restriction.kubernetes.io/pci": "1" }, ["node-restriction.kubernetes.io/pci"]],
    [{ "a.k8s.io/x": "1", "kubernetes.io/y": "1" }, ["a.k8s.io/x", "kubernetes.io/y"]],
  ];
  for (const [labels, expected] of table) {
    const labelled = node("edge-1", labels) as any;
    assert.deepEqual(forbiddenLabels(labelled, undefined), expected);
    assert.deepEqual(forbiddenLabels(labelled, labelled), []);
    assert.deepEqual(forbiddenLabels(node("edge-1") as any, labelled), expected);
  }
});

test("a node gives itself no owner, by whose absence it would be collected and made anew", async () => {
  const old = node("edge-1");
  const owned = { ...old, metadata: { ...old.metadata, ownerReferences: [{ name: "gone" }] } };
  await judge("UPDATE nodes edge-1", { object: owned, old: owned });
  await assert.rejects(judge("UPDATE nodes edge-1", { object: owned, old }), {
    message: /is not allowed to modify ownerReferences/,
  });
});

test("a node says how large a claim is, and changes nothing else of it", async () => {
  const claim = (metadata: object, status: object) => ({
    metadata: { name: "data", ...metadata },
    spec: {},
    status: { phase: "Bound", ...status },
  });
  const old = claim({ resourceVersion: "1" }, {});
  const write = (metadata: object, status: object) =>
    judge("UPDATE persistentvolumeclaims/status data", { object: claim(metadata, status), old });
  await write({ resourceVersion: "2" }, { capacity: { storage: "2Gi" }, conditions: [{}] });
  const refusal = { message: /not allowed to update fields other than status\.quantity/ };
  await assert.rejects(write({ annotations: { a: "b" } }, {}), refusal);
  await assert.rejects(write({ finalizers: [] }, {}), refusal);
  await assert.rejects(write({}, { phase: "Lost" }), refusal);
});

test("a node does not say which ResourceClaims a pod has, since it reads those", async () => {
  const pod = (status: object) => ({ ...podOn("edge-1"), status });
  const had = { resourceClaimStatuses: [{ name: "a", resourceClaimName: "mine" }] };
  const write = (status: object) =>
    judge("UPDATE pods/status web", { object: pod(status), old: pod(had) });
  await write({ ...had, phase: "Running" });
  const refusal = { message: /cannot update resource claim statuses/ };
  const theirs = [{ name: "a", resourceClaimName: "theirs" }];
  await assert.rejects(write({ resourceClaimStatuses: theirs }), refusal);
  await assert.rejects(write({ ...had, extendedResourceClaimStatus: {} }), refusal);
});

test("a node reports, evicts and deletes its own pods only", async () => {
  const status = (object: object, old: object) => judge("UPDATE pods/status web", { object, old });
  await status(podOn("edge-1"), podOn("edge-1"));
  await judge("DELETE pods mine", { old: podOn("edge-1") });
  await judge("CREATE pods/eviction mine");
  const only = (what: string) => ({ message: new RegExp(`can only ${what}`) });
  await assert.rejects(status(podOn("edge-2"), podOn("edge-2")), only("update pod status for"));
  await assert.rejects(judge("DELETE pods theirs"), only("delete pods"));
  await assert.rejects(judge("CREATE pods/eviction theirs"), only("evict pods"));
  await assert.rejects(status(podOn("edge-1", { a: "b" }), podOn("edge-1")), {
    message: /cannot update labels through pod status/,
  });
  await assert.rejects(
    judge("UPDATE pods web", { object: podOn("edge-1"), old: podOn("edge-1") }),
    only("create and delete mirror pods"),
  );
});

test("a node makes mirror pods that it owns and that reach nothing", () => {
  const mirror = (change: object = {}, spec: object = {}) => ({
    metadata: {
      name: "static",
      annotations: { "kubernetes.io/config.mirror": "x" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "edge-1", controller: true }],
      ...change,
    },
    spec: { nodeName: "edge-1", containers: [], ...spec },
  });
  const table: [object, RegExp | undefined][] = [
    [mirror(), undefined],
    [mirror({ annotations: {} }), /can only create mirror pods/],
    [mirror({}, { nodeName: "edge-2" }), /spec\.nodeName set to itself/],
    [mirror({ ownerReferences: [] }), /owner reference set to itself/],
    [mirror({}, { serviceAccountName: "x" }), /can not create pods that reference serviceaccounts/],
    [mirror({}, { imagePullSecrets: [{ name: "x" }] }), /reference secrets/],
  ];
  for (const [pod, expected] of table) {
    const why = refusedMirrorPod("edge-1", pod as any);
    if (expected) assert.match(why ?? "allowed", expected);
    else assert.equal(why, undefined);
  }
});
