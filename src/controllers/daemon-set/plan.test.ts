import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { eligibility, nodeOf, podForNode } from "./eligibility.ts";
import { plan } from "./plan.ts";

const now = Date.UTC(2026, 0, 1);
const meta = (name: string, more: object = {}) => ({
  name,
  uid: name,
  resourceVersion: "1",
  creationTimestamp: "2026-01-01T00:00:00Z",
  ...more,
});

const set = (template: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: meta("agent", { namespace: "default", generation: 1 }),
  spec: {
    selector: { matchLabels: { app: "agent" } },
    template: { metadata: { labels: { app: "agent" } }, spec: template },
    ...spec,
  },
});

const node = (name: string, spec: object = {}, labels: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: meta(name, { labels }),
  spec,
});

type State = "ready" | "pending" | "terminating" | "failed";
const pod = (on: string, state: State = "ready", hash = "new", order = 0): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: meta(`agent-${on}-${hash}-${order}`, {
    namespace: "default",
    labels: { "controller-revision-hash": hash },
    ...(state === "terminating" && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  }),
  spec: { nodeName: on },
  status: {
    phase: state === "failed" ? "Failed" : "Running",
    conditions: [{ type: "Ready", status: state === "ready" ? "True" : "False" }],
  },
});

const taint = (key: string, effect: string) => ({ taints: [{ key, effect }] });

test("a daemon's pod belongs where names, labels and taints allow it", () => {
  const rows: [string, KubeObject, KubeObject, boolean, boolean][] = [
    ["plain", set(), node("a"), true, true],
    [
      "selected",
      set({ nodeSelector: { os: "linux" } }),
      node("a", {}, { os: "linux" }),
      true,
      true,
    ],
    ["not selected", set({ nodeSelector: { os: "linux" } }), node("a"), false, false],
    ["tainted", set(), node("a", taint("k", "NoSchedule")), false, true],
    ["repelled", set(), node("a", taint("k", "NoExecute")), false, false],
    [
      "cordoned",
      set(),
      node("a", taint("node.kubernetes.io/unschedulable", "NoSchedule")),
      true,
      true,
    ],
    [
      "unreachable",
      set(),
      node("a", taint("node.kubernetes.io/unreachable", "NoExecute")),
      true,
      true,
    ],
    [
      "tolerated",
      set({ tolerations: [{ operator: "Exists" }] }),
      node("a", taint("k", "NoExecute")),
      true,
      true,
    ],
  ];
  for (const [when, of, on, run, stay] of rows) {
    assert.deepEqual(eligibility(of, on), { run, stay }, when);
  }
});

test("a daemon's pod names its node, so that the scheduler binds it there", () => {
  const made = podForNode(set(), "h", "a") as KubeObject;
  assert.equal(nodeOf(made), "a");
  assert.equal(made.metadata.labels!["controller-revision-hash"], "h");
  assert.equal(made.spec.tolerations.length, 6);
});

interface Row {
  does: string;
  set?: KubeObject;
  nodes?: KubeObject[];
  pods: KubeObject[];
  create?: string[];
  delete?: string[];
  replace?: string[];
}

const three = ["a", "b", "c"].map((name) => node(name));
const rolling = (rollingUpdate: object) =>
  set({}, { updateStrategy: { type: "RollingUpdate", rollingUpdate } });
const olds = ["a", "b", "c"].map((name) => pod(name, "ready", "old"));

const rows: Row[] = [
  { does: "starts a pod on every node", pods: [], create: ["a", "b", "c"] },
  { does: "fills the one that is missing", pods: [pod("a"), pod("c")], create: ["b"] },
  {
    does: "waits for a pod that is going",
    pods: [pod("a"), pod("b", "terminating"), pod("c")],
  },
  {
    does: "keeps the oldest of two",
    pods: [pod("a"), pod("a", "ready", "new", 1), pod("b"), pod("c")],
    delete: ["agent-a-new-1"],
  },
  {
    does: "leaves a node it no longer suits",
    set: set({ nodeSelector: { x: "y" } }),
    pods: [pod("a")],
    delete: ["agent-a-new-0"],
  },
  { does: "replaces a failed pod", pods: [pod("a", "failed"), pod("b"), pod("c")], replace: ["a"] },
  { does: "updates one node at a time", pods: olds, delete: ["agent-a-old-0"] },
  {
    does: "updates as many as may be unavailable",
    set: rolling({ maxUnavailable: "50%" }),
    pods: olds,
    delete: ["agent-a-old-0", "agent-b-old-0"],
  },
  {
    does: "waits for the updated one to work",
    pods: [pod("a", "pending"), ...olds.slice(1)],
  },
  {
    does: "replaces an old one that does not work at no cost",
    pods: [pod("a", "pending"), pod("b", "pending", "old"), pod("c", "ready", "old")],
    delete: ["agent-b-old-0"],
  },
  {
    does: "starts a new one beside the old when it may surge",
    set: rolling({ maxSurge: 1, maxUnavailable: 0 }),
    pods: olds,
    create: ["a"],
  },
  {
    does: "ends the old one once the new one works",
    set: rolling({ maxSurge: 1, maxUnavailable: 0 }),
    pods: [pod("a"), ...olds],
    delete: ["agent-a-old-0"],
  },
  {
    does: "leaves updates to the user with OnDelete",
    set: set({}, { updateStrategy: { type: "OnDelete" } }),
    pods: olds,
  },
];

for (const row of rows) {
  test(`a daemon set ${row.does}`, () => {
    const nodes = row.nodes ?? three;
    const result = plan({ set: row.set ?? set(), nodes, pods: row.pods, hash: "new", now });
    assert.deepEqual(result.create, row.create ?? []);
    assert.deepEqual(
      result.delete.map(({ metadata }) => metadata.name),
      row.delete ?? [],
    );
    assert.deepEqual(
      result.replace.map(({ node: on }) => on),
      row.replace ?? [],
    );
  });
}

test("a daemon set counts its nodes and pods", () => {
  const nodes = [...three, node("d", taint("k", "NoSchedule"))];
  const pods = [pod("a"), pod("b", "pending"), pod("d")];
  const { status } = plan({ set: set(), nodes, pods, hash: "new", now });
  assert.deepEqual(status, {
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    desiredNumberScheduled: 3,
    numberReady: 1,
    observedGeneration: 1,
    updatedNumberScheduled: 2,
    numberAvailable: 1,
    numberUnavailable: 2,
  });
});
