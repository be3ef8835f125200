import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { claimOwners } from "./identity.ts";
import { plan, type Plan } from "./plan.ts";

const now = Date.UTC(2026, 0, 1);

const set = (spec: object = {}, status: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: {
    name: "db",
    namespace: "default",
    uid: "set",
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: { matchLabels: { app: "db" } },
    template: { metadata: { labels: { app: "db" } }, spec: { containers: [] } },
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
    ...spec,
  },
  status,
});

type State = "ready" | "pending" | "terminating" | "failed";

const pod = (ordinal: number, state: State = "ready", revision = "old"): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `db-${ordinal}`,
    namespace: "default",
    uid: `u${ordinal}`,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { app: "db", "controller-revision-hash": revision },
    ...(state === "terminating" && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  },
  spec: {},
  status: {
    phase: state === "failed" ? "Failed" : state === "pending" ? "Pending" : "Running",
    conditions: [
      {
        type: "Ready",
        status: state === "ready" ? "True" : "False",
        lastTransitionTime: "2025-12-31T23:59:50Z",
      },
    ],
  },
});

const revision = (name: string) => ({
  name,
  template: { metadata: { labels: { app: "db" } }, spec: { containers: [] } },
});

function planned(of: KubeObject, pods: KubeObject[], update = "old"): Plan {
  return plan({ set: of, pods, current: revision("old"), update: revision(update), now });
}

const steps = ({ actions }: Plan) =>
  actions.map((action) =>
    action.type === "create" ? `+${action.pod.metadata!.name}` : `-${action.pod.metadata.name}`,
  );

const parallel = { podManagementPolicy: "Parallel" };
const table: [string, KubeObject, KubeObject[], string[], string?][] = [
  ["starts with its first pod", set(), [], ["+db-0"]],
  ["waits until that one is ready", set(), [pod(0, "pending")], []],
  ["goes on when it is", set(), [pod(0)], ["+db-1"]],
  ["fills a gap first", set(), [pod(0), pod(2)], ["+db-1"]],
  ["starts all at once in parallel", set(parallel), [], ["+db-0", "+db-1", "+db-2"]],
  ["counts from its start ordinal", set({ ordinals: { start: 5 } }), [], ["+db-5"]],
  ["replaces a failed pod", set(), [pod(0, "failed")], ["-db-0"]],
  [
    "scales down from the top, one at a time",
    set({ replicas: 1 }),
    [0, 1, 2].map((i) => pod(i)),
    ["-db-2"],
  ],
  ["waits for the one going", set({ replicas: 1 }), [pod(0), pod(1), pod(2, "terminating")], []],
  [
    "does not scale down while a wanted one is not ready",
    set({ replicas: 1 }),
    [pod(0, "pending"), pod(1)],
    [],
  ],
  [
    "does not scale down while one below is ill as well",
    set({ replicas: 0 }),
    [0, 1, 2].map((i) => pod(i, "pending")),
    [],
  ],
  [
    "scales one down that alone is ill",
    set({ replicas: 0 }),
    [pod(0), pod(1), pod(2, "pending")],
    ["-db-2"],
  ],
  [
    "scales down at once in parallel",
    set({ ...parallel, replicas: 1 }),
    [0, 1, 2].map((i) => pod(i)),
    ["-db-2", "-db-1"],
  ],
  ["updates from the top", set(), [0, 1, 2].map((i) => pod(i)), ["-db-2"], "new"],
  [
    "goes on below an updated pod",
    set(),
    [pod(0), pod(1), pod(2, "ready", "new")],
    ["-db-1"],
    "new",
  ],
  [
    "waits for an updated pod",
    set(parallel),
    [pod(0), pod(1), pod(2, "pending", "new")],
    [],
    "new",
  ],
  [
    "stops at the partition",
    set({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } }),
    [pod(0), pod(1), pod(2, "ready", "new")],
    [],
    "new",
  ],
  [
    "leaves updates to the user with OnDelete",
    set({ updateStrategy: { type: "OnDelete" } }),
    [0, 1, 2].map((i) => pod(i)),
    [],
    "new",
  ],
  [
    "updates several at once when it may",
    set({
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0, maxUnavailable: 2 } },
    }),
    [0, 1, 2].map((i) => pod(i)),
    ["-db-2", "-db-1"],
    "new",
  ],
  [
    "does nothing any more when it is going",
    { ...set(), metadata: { ...set().metadata, deletionTimestamp: "x" } },
    [],
    [],
  ],
];

for (const [does, of, pods, expected, update] of table) {
  test(`a stateful set ${does}`, () => {
    assert.deepEqual(steps(planned(of, pods, update)), expected);
  });
}

test("a pod below the partition comes back as it was, one above it as updated", () => {
  const strategy = { type: "RollingUpdate", rollingUpdate: { partition: 2 } };
  const of = set({ updateStrategy: strategy, ...parallel });
  const revisions = planned(of, [pod(1)], "new").actions.map(
    (action) => action.pod.metadata!.labels!["controller-revision-hash"],
  );
  assert.deepEqual(revisions, ["old", "new"]);
});

test("a pod that is ready for too short a time is waited for", () => {
  const result = planned(set({ minReadySeconds: 30 }), [pod(0)]);
  assert.deepEqual(steps(result), []);
  assert.equal(result.wakeAfterMs, 20_000);
  assert.equal(result.status["availableReplicas"], 0);
});

test("when every pod is updated and ready the update becomes the current revision", () => {
  const pods = [0, 1, 2].map((i) => pod(i, "ready", "new"));
  const { status } = planned(set({}, { currentReplicas: 0, currentRevision: "old" }), pods, "new");
  assert.equal(status["currentRevision"], "new");
  assert.equal(status["currentReplicas"], 3);
  assert.equal(status["readyReplicas"], 3);
});

test("a pod carries its name, its ordinal and its claims", () => {
  const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: {} }];
  const [action] = planned(set({ volumeClaimTemplates }), []).actions;
  const made = action!.pod as KubeObject;
  assert.deepEqual(made.metadata.labels, {
    app: "db",
    "statefulset.kubernetes.io/pod-name": "db-0",
    "apps.kubernetes.io/pod-index": "0",
    "controller-revision-hash": "old",
  });
  assert.equal(made.spec.hostname, "db-0");
  assert.equal(made.spec.subdomain, "db");
  assert.deepEqual(made.spec.volumes, [
    { name: "data", persistentVolumeClaim: { claimName: "data-db-0" } },
  ]);
});

test("the retention policy decides who owns a claim", () => {
  const claim = { ...pod(0), kind: "PersistentVolumeClaim" };
  const rows: [string, string, boolean, string[] | undefined][] = [
    ["Retain", "Retain", false, undefined],
    ["Delete", "Retain", false, ["set"]],
    ["Delete", "Retain", true, ["set"]],
    ["Retain", "Delete", false, undefined],
    ["Retain", "Delete", true, ["u0"]],
    ["Delete", "Delete", true, ["u0"]],
  ];
  for (const [whenDeleted, whenScaled, condemned, owners] of rows) {
    const of = set({ persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } });
    const given = claimOwners(of, claim, pod(0), condemned)?.map(({ uid }) => uid);
    assert.deepEqual(given, owners, `${whenDeleted} ${whenScaled} ${condemned}`);
  }
});
