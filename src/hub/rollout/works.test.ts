import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { planWorks, reportOf } from "./works.ts";
import type { Content, WorksState } from "./works.ts";

const now = Date.UTC(2026, 0, 2);
const content = (name: string): Content => ({
  name,
  spec: {
    workload: {
      manifests: [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m" }, data: { version: name } },
      ],
    },
  },
});

const stored = (draft: Draft, status: object = {}): KubeObject => ({
  ...draft,
  metadata: {
    name: "app",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "",
    generation: 1,
    ...draft.metadata,
  },
  status,
});

const state = (more: Partial<WorksState> = {}): WorksState => ({
  set: { name: "app", namespace: "team", placement: "shops" },
  strategy: {},
  groups: [{ name: "", sites: ["a", "b"] }],
  content: content("v1"),
  works: new Map(),
  labelsOf: () => ({}),
  now,
  ...more,
});

const given = (name: string) => planWorks(state({ content: content(name) })).create[0]!;
const yes = (type: string, more: object = {}) => ({ type, status: "True", ...more });
const no = (type: string) => ({ type, status: "False" });
const done = { conditions: [yes("Applied"), yes("Available")] };
const replicas = (available: number) => ({
  ...done,
  resourceStatus: {
    manifests: [
      {
        statusFeedback: {
          values: [
            { name: "Replicas", fieldValue: { type: "Integer", integer: 2 } },
            { name: "AvailableReplicas", fieldValue: { type: "Integer", integer: available } },
          ],
        },
      },
    ],
  },
});

const reports: [string, object, string][] = [
  ["says nothing yet", {}, "Progressing"],
  ["applied it and has it", done, "Succeeded"],
  [
    "says so of an older generation",
    { conditions: [yes("Applied", { observedGeneration: 0 })] },
    "Progressing",
  ],
  ["could not apply it", { conditions: [no("Applied"), yes("Available")] }, "Failed"],
  ["has it degraded", { conditions: [...done.conditions, yes("Degraded")] }, "Failed"],
  ["is still at it", { conditions: [...done.conditions, yes("Progressing")] }, "Progressing"],
  ["lacks replicas", replicas(1), "Progressing"],
  ["has all replicas", replicas(2), "Succeeded"],
];
for (const [what, status, expected] of reports) {
  test(`a site that ${what} counts as ${expected}`, () => {
    assert.equal(reportOf(stored(given("v1"), status), "v1", now).state, expected);
  });
}

test("a site whose clock is years ahead has not succeeded for years", () => {
  const lastTransitionTime = "2036-01-01T00:00:00Z";
  const ahead = { conditions: done.conditions.map((one) => ({ ...one, lastTransitionTime })) };
  assert.equal(reportOf(stored(given("v1"), ahead), "v1", now).since, now);
});

test("each chosen site gets the content as a work of its own, with its overrides", () => {
  const { create } = planWorks(
    state({
      labelsOf: (site) => ({ site }),
      content: {
        ...content("v1"),
        overrides: [
          {
            siteSelector: { matchLabels: { site: "b" } },
            patches: [{ patch: { data: { b: "1" } } }],
          },
        ],
      },
    }),
  );
  assert.deepEqual(
    create.map(({ metadata, spec }) => [metadata!.namespace, spec.workload.manifests[0].data]),
    [
      ["a", { version: "v1" }],
      ["b", { version: "v1", b: "1" }],
    ],
  );
  assert.deepEqual(create[0]!.metadata!.labels, {
    "work.open-cluster-management.io/manifestworkreplicaset": "team.app",
    "work.open-cluster-management.io/placementname": "shops",
  });
});

test("a site whose override does not apply is named, and others get theirs", () => {
  const patches = [{ type: "json" as const, patch: [{ op: "remove", path: "/nothing" }] }];
  const found = planWorks(
    state({
      labelsOf: (site) => ({ site }),
      content: {
        ...content("v1"),
        overrides: [{ siteSelector: { matchLabels: { site: "b" } }, patches }],
      },
    }),
  );
  assert.equal(found.create.length, 1);
  assert.deepEqual([...found.refused.keys()], ["b"]);
});

test("a site that is no longer chosen loses its work, and no other does", () => {
  const works = new Map(["a", "b", "c"].map((site) => [site, stored(given("v1"), done)]));
  assert.deepEqual(planWorks(state({ works })).remove, [{ namespace: "c", name: "app", uid: "u" }]);
});

test("content that fails goes back to what was there, and does not come again", () => {
  const works = new Map([
    ["a", stored(given("v2"), { conditions: [no("Applied")] })],
    ["b", stored(given("v1"), done)],
  ]);
  const next = { content: content("v2"), previous: content("v1"), onFailure: "RollBack" as const };
  const first = planWorks(state({ ...next, works }));
  assert.equal(first.rollout.phase, "RollingBack");
  assert.deepEqual(
    first.update.map(({ spec }) => spec.workload.manifests[0].data),
    [{ version: "v1" }],
  );
  works.set("a", stored(given("v1"), done));
  const second = planWorks(state({ ...next, works, aborted: "aborted" }));
  assert.equal(second.rollout.phase, "Stopped");
  assert.deepEqual([second.create, second.update, second.remove], [[], [], []]);
});
