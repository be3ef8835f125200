import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import { isStatus } from "../../lib/status-error.ts";
import { strategicMergePatch } from "./strategic-merge-patch.ts";

const { definition } = builtinKinds();
const names = {
  Pod: "io.k8s.api.core.v1.Pod",
  PodSpec: "io.k8s.api.core.v1.PodSpec",
  Container: "io.k8s.api.core.v1.Container",
  Deployment: "io.k8s.api.apps.v1.Deployment",
  Service: "io.k8s.api.core.v1.Service",
  PodDisruptionBudgetSpec: "io.k8s.api.policy.v1.PodDisruptionBudgetSpec",
};
const patch = (kind: keyof typeof names, document: any, change: any) => {
  const before = JSON.stringify([document, change]);
  const result = strategicMergePatch(document, change, { ref: names[kind] }, definition);
  assert.equal(JSON.stringify([document, change]), before, "neither side is changed");
  return result;
};

interface Case {
  name: string;
  kind: keyof typeof names;
  document: any;
  change: any;
  result: any;
}

const lists: Case[] = [
  {
    name: "containers are merged by name",
    kind: "PodSpec",
    document: {
      containers: [
        { name: "a", image: "a:1", tty: true },
        { name: "b", image: "b:1" },
      ],
    },
    change: { containers: [{ name: "a", image: "a:2" }] },
    result: {
      containers: [
        { name: "a", image: "a:2", tty: true },
        { name: "b", image: "b:1" },
      ],
    },
  },
  {
    name: "a new element comes where the patch puts it, as early as it can",
    kind: "PodSpec",
    document: { containers: [{ name: "a" }, { name: "b" }] },
    change: { containers: [{ name: "c", image: "c:1" }] },
    result: { containers: [{ name: "c", image: "c:1" }, { name: "a" }, { name: "b" }] },
  },
  {
    name: "an element is deleted by its key",
    kind: "Container",
    document: { name: "a", env: [{ name: "A", value: "1" }, { name: "B" }] },
    change: { env: [{ $patch: "delete", name: "A" }] },
    result: { name: "a", env: [{ name: "B" }] },
  },
  {
    name: "a list is replaced on demand",
    kind: "Container",
    document: { name: "a", env: [{ name: "A", value: "1" }, { name: "B" }] },
    change: { env: [{ name: "C" }, { $patch: "replace" }] },
    result: { name: "a", env: [{ name: "C" }] },
  },
  {
    name: "ports are merged by containerPort",
    kind: "Container",
    document: { ports: [{ containerPort: 80, protocol: "TCP" }, { containerPort: 81 }] },
    change: { ports: [{ containerPort: 80, name: "web" }] },
    result: {
      ports: [{ containerPort: 80, protocol: "TCP", name: "web" }, { containerPort: 81 }],
    },
  },
  {
    name: "a list without a strategy is atomic",
    kind: "PodSpec",
    document: { tolerations: [{ key: "a" }, { key: "b" }] },
    change: { tolerations: [{ key: "c" }] },
    result: { tolerations: [{ key: "c" }] },
  },
  {
    name: "finalizers are a set",
    kind: "Pod",
    document: { metadata: { finalizers: ["a", "b"] } },
    change: { metadata: { finalizers: ["b", "c"] } },
    result: { metadata: { finalizers: ["a", "b", "c"] } },
  },
  {
    name: "finalizers are deleted by value",
    kind: "Pod",
    document: { metadata: { finalizers: ["a", "b", "c"] } },
    change: {
      metadata: {
        "$deleteFromPrimitiveList/finalizers": ["b"],
        "$setElementOrder/finalizers": ["d", "c"],
        finalizers: ["d"],
      },
    },
    result: { metadata: { finalizers: ["d", "a", "c"] } },
  },
  {
    name: "an order alone moves what it names and keeps what it does not",
    kind: "PodSpec",
    document: { containers: [{ name: "a" }, { name: "server" }, { name: "b" }] },
    change: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
    result: { containers: [{ name: "server" }, { name: "b" }, { name: "a" }] },
  },
];

const maps: Case[] = [
  {
    name: "labels are merged and removed by null",
    kind: "Pod",
    document: { metadata: { labels: { a: "1", b: "2" } } },
    change: { metadata: { labels: { a: null, c: "3" }, annotations: { x: "y", z: null } } },
    result: { metadata: { labels: { b: "2", c: "3" }, annotations: { x: "y" } } },
  },
  {
    name: "a map is replaced or emptied on demand",
    kind: "Pod",
    document: { metadata: { labels: { a: "1" }, annotations: { a: "1" } } },
    change: {
      metadata: { labels: { $patch: "replace", b: "2" }, annotations: { $patch: "delete" } },
    },
    result: { metadata: { labels: { b: "2" }, annotations: {} } },
  },
  {
    name: "a change of volume source keeps only what is retained",
    kind: "PodSpec",
    document: { volumes: [{ name: "v", hostPath: { path: "/x", type: "" } }, { name: "w" }] },
    change: { volumes: [{ $retainKeys: ["name", "emptyDir"], name: "v", emptyDir: {} }] },
    result: { volumes: [{ name: "v", emptyDir: {} }, { name: "w" }] },
  },
  {
    name: "a change of rollout strategy drops the old one's parameters",
    kind: "Deployment",
    document: {
      spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } }, replicas: 1 },
    },
    change: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
    result: { spec: { strategy: { type: "Recreate" }, replicas: 1 } },
  },
  {
    name: "a field with strategy replace is replaced whole",
    kind: "PodDisruptionBudgetSpec",
    document: { selector: { matchLabels: { a: "1" } } },
    change: { selector: { matchLabels: { b: "2" } } },
    result: { selector: { matchLabels: { b: "2" } } },
  },
  {
    name: "directives do not stay behind where there was nothing",
    kind: "PodSpec",
    document: {},
    change: {
      "$setElementOrder/volumes": [{ name: "v" }],
      volumes: [
        { $retainKeys: ["name", "emptyDir"], name: "v", emptyDir: {} },
        { $patch: "delete", name: "w" },
      ],
    },
    result: { volumes: [{ name: "v", emptyDir: {} }] },
  },
];

describe("a strategic merge patch", () => {
  for (const { name, kind, document, change, result } of [...lists, ...maps]) {
    test(name, () => assert.deepEqual(patch(kind, document, change), result));
  }

  test("as kubectl apply computes it from three documents", () => {
    const live = {
      metadata: { name: "web", annotations: { "deployment.kubernetes.io/revision": "3" } },
      spec: {
        replicas: 5,
        template: {
          spec: {
            containers: [
              {
                name: "web",
                image: "web:1",
                env: [
                  { name: "A", value: "1" },
                  { name: "GONE", value: "x" },
                  { name: "INJECTED", value: "y" },
                ],
                ports: [
                  { containerPort: 80, protocol: "TCP" },
                  { containerPort: 81, protocol: "TCP" },
                ],
              },
              { name: "injected", image: "proxy:1" },
            ],
            volumes: [{ name: "data", hostPath: { path: "/data", type: "" } }],
          },
        },
      },
    };
    const change = {
      metadata: { annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" } },
      spec: {
        template: {
          spec: {
            "$setElementOrder/containers": [{ name: "side" }, { name: "web" }],
            "$setElementOrder/volumes": [{ name: "data" }],
            containers: [
              { image: "side:1", name: "side" },
              {
                "$setElementOrder/env": [{ name: "B" }, { name: "A" }],
                "$setElementOrder/ports": [{ containerPort: 80 }],
                env: [
                  { name: "B", value: "2" },
                  { $patch: "delete", name: "GONE" },
                ],
                image: "web:2",
                name: "web",
                ports: [{ $patch: "delete", containerPort: 81 }],
              },
            ],
            volumes: [
              { $retainKeys: ["emptyDir", "name"], emptyDir: {}, hostPath: null, name: "data" },
            ],
          },
        },
      },
    };
    const { metadata, spec } = patch("Deployment", live, change);
    assert.deepEqual(Object.keys(metadata.annotations).length, 2);
    assert.deepEqual(spec, {
      replicas: 5,
      template: {
        spec: {
          containers: [
            { image: "side:1", name: "side" },
            {
              name: "web",
              image: "web:2",
              env: [
                { name: "B", value: "2" },
                { name: "A", value: "1" },
                { name: "INJECTED", value: "y" },
              ],
              ports: [{ containerPort: 80, protocol: "TCP" }],
            },
            { name: "injected", image: "proxy:1" },
          ],
          volumes: [{ name: "data", emptyDir: {} }],
        },
      },
    });
  });
});

const refused: [kind: keyof typeof names, change: any, reason: any, message: RegExp][] = [
  ["Pod", { $patch: "frob" }, "BadRequest", /unknown patch type: "frob" in map/],
  ["PodSpec", { containers: [{ image: "x" }] }, "BadRequest", /declared merge key: name/],
  ["PodSpec", { containers: [{ name: "a", $patch: "merge" }] }, "BadRequest", /merging lists/],
  ["PodSpec", { containers: ["a"] }, "BadRequest", /element types are not identical/],
  ["PodSpec", { containers: [["a"]] }, "Invalid", /lists of lists are not supported/],
  ["PodSpec", { "$setElementOrder/containers": {} }, "BadRequest", /setElementOrder list/],
  [
    "PodSpec",
    { "$setElementOrder/containers": [{ name: "b" }], containers: [{ name: "a" }] },
    "BadRequest",
    /The order in patch list/,
  ],
  ["PodSpec", { $retainKeys: "x" }, "BadRequest", /invalid patch format of retainKeys/],
  [
    "PodSpec",
    { $retainKeys: ["containers"], hostNetwork: true },
    "Invalid",
    /patch content doesn't match retainKeys list/,
  ],
  ["PodSpec", { "$deleteFromPrimitiveList/x": 1 }, "BadRequest", /primitive list/],
];

test("a strategic merge patch that makes no sense is refused, saying why", () => {
  for (const [kind, change, reason, message] of refused) {
    assert.throws(
      () => patch(kind, { containers: [{ name: "a" }] }, change),
      (error: Error) => isStatus(error, reason) && message.test(error.message),
      JSON.stringify(change),
    );
  }
});
