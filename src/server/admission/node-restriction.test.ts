import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdmissionRequest } from "../policy.ts";
import { nodeRestriction } from "./node-restriction.ts";

const stored: Record<string, any> = {
  "pods/default/mine": { metadata: { labels: { a: "b" } }, spec: { nodeName: "a" } },
  "pods/default/theirs": { metadata: {}, spec: { nodeName: "b" } },
};
const plugin = nodeRestriction({ get: async (key) => stored[key], list: async () => [] });
const user = { name: "system:node:a", groups: ["system:nodes"] };

const judge = (
  plural: string,
  operation: AdmissionRequest["operation"],
  more: Partial<AdmissionRequest> & { group?: string },
) => {
  const kind = { group: more.group ?? "", plural, kind: plural } as AdmissionRequest["kind"];
  const request = {
    kind,
    operation,
    subresource: "",
    namespace: "default",
    name: "",
    user,
    ...more,
  };
  return plugin.validate!(request as AdmissionRequest);
};
const node = (name: string, labels = {}, spec = {}): any => ({ metadata: { name, labels }, spec });
const mirror = (
  spec: object,
  annotations: object = { "kubernetes.io/config.mirror": "x" },
): any => ({
  metadata: { name: "m", annotations },
  spec: { nodeName: "a", ...spec },
});

const allowed: [what: string, judged: () => Promise<void>][] = [
  [
    "its own node",
    () => judge("nodes", "CREATE", { object: node("a", { "kubernetes.io/os": "linux" }) }),
  ],
  [
    "labels of its own",
    () => judge("nodes", "UPDATE", { name: "a", old: node("a"), object: node("a", { zone: "x" }) }),
  ],
  ["a mirror pod", () => judge("pods", "CREATE", { object: mirror({}) })],
  [
    "its pod's end",
    () => judge("pods", "DELETE", { name: "mine", old: stored["pods/default/mine"] }),
  ],
  ["its lease", () => judge("leases", "UPDATE", { group: "coordination.k8s.io", name: "a" })],
  [
    "others' business, when it is not a node",
    () => judge("nodes", "DELETE", { name: "b", user: { name: "admin", groups: [] } }),
  ],
];
const old = stored["pods/default/mine"];
const refused: [why: RegExp, judged: () => Promise<void>][] = [
  [/not allowed to modify node "b"/, () => judge("nodes", "DELETE", { name: "b" })],
  [
    /modify labels: a\.node-restriction\.kubernetes\.io\/x/,
    () =>
      judge("nodes", "UPDATE", {
        name: "a",
        old: node("a"),
        object: node("a", { "a.node-restriction.kubernetes.io/x": "1" }),
      }),
  ],
  [
    /modify labels: example\.k8s\.io\/x/,
    () => judge("nodes", "CREATE", { object: node("a", { "example.k8s.io/x": "1" }) }),
  ],
  [
    /modify taints/,
    () =>
      judge("nodes", "UPDATE", {
        name: "a",
        old: node("a", {}, { taints: [{ key: "x" }] }),
        object: node("a"),
      }),
  ],
  [/can only create mirror pods/, () => judge("pods", "CREATE", { object: mirror({}, {}) })],
  [/nodeName set to itself/, () => judge("pods", "CREATE", { object: mirror({ nodeName: "b" }) })],
  [
    /may not reference/,
    () => judge("pods", "CREATE", { object: mirror({ serviceAccountName: "x" }) }),
  ],
  [/can only delete pods/, () => judge("pods", "DELETE", { name: "theirs" })],
  [
    /can only evict pods/,
    () => judge("pods", "CREATE", { name: "theirs", subresource: "eviction" }),
  ],
  [/only update the status/, () => judge("pods", "UPDATE", { name: "mine", old, object: old })],
  [
    /cannot update labels/,
    () =>
      judge("pods", "UPDATE", {
        name: "mine",
        subresource: "status",
        old,
        object: { ...old, metadata: { labels: {} } },
      }),
  ],
  [
    /its own ResourceSlices/,
    () =>
      judge("resourceslices", "CREATE", {
        group: "resource.k8s.io",
        object: mirror({ nodeName: "b" }),
      }),
  ],
];

for (const [what, judged] of allowed) test(`a node may write ${what}`, () => judged());
for (const [why, judged] of refused) {
  test(`a node is refused: ${why.source}`, () => assert.rejects(judged(), why));
}
