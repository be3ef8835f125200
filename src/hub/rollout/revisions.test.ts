import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { replicaSetStatus } from "./replica-set-status.ts";
import type { Part } from "./replica-set-status.ts";
import {
  contentOf,
  noteOf,
  previousOf,
  revisionDraft,
  surplusOf,
  whyGivenUp,
} from "./revisions.ts";
import { contentAnnotation } from "./works.ts";

const setWith = (word: string) =>
  ({
    apiVersion: "work.open-cluster-management.io/v1alpha1",
    kind: "ManifestWorkReplicaSet",
    metadata: { name: "paint", namespace: "team", uid: "u", generation: 2 },
    spec: { manifestWorkTemplate: { workload: { manifests: [{ data: { word } }] } } },
  }) as unknown as KubeObject;

/** Revisions of `words` in their order; those in capitals were rolled out whole. */
function history(...words: string[]): KubeObject[] {
  const known: KubeObject[] = [];
  for (const word of words) {
    const set = setWith(word.toLowerCase());
    const draft = revisionDraft(set, contentOf(set), known) as KubeObject;
    const note =
      word === word.toUpperCase() ? noteOf(draft, { phase: "Complete", message: "" }) : {};
    known.push({ ...draft, metadata: { ...draft.metadata, annotations: note! } });
  }
  return known;
}
const wordOf = (content: any) => content?.spec.workload.manifests[0].data.word;

for (const [words, present, previous] of [
  [["ONE"], "one", undefined],
  [["ONE", "two"], "two", "one"],
  [["ONE", "TWO", "three"], "three", "two"],
  [["ONE", "two", "three"], "three", "one"],
  [["ONE", "TWO"], "one", "two"],
  [["one", "two"], "two", undefined],
] as const) {
  test(`with ${words.join(", ")} and ${present} wanted, ${previous ?? "nothing"} is gone back to`, () => {
    const set = setWith(present);
    assert.equal(wordOf(previousOf(set, contentOf(set), history(...words))), previous);
  });
}

test("the present, the one to go back to and the newest stay", () => {
  const set = setWith("g");
  const gone = surplusOf(set, contentOf(set), history("A", "b", "c", "d", "e", "f", "g"));
  assert.deepEqual(
    gone.map((one) => wordOf({ spec: one["data"].spec })),
    ["b", "c"],
  );
});

test("content that is given up is remembered once, with its reason", () => {
  const [revision] = history("one") as [KubeObject];
  const note = noteOf(revision, { phase: "RollingBack", message: "a failed" })!;
  const noted = { ...revision, metadata: { ...revision.metadata, annotations: note } };
  assert.equal(whyGivenUp(noted), "a failed");
  assert.equal(noteOf(noted, { phase: "RollingBack", message: "b failed" }), undefined);
  assert.equal(noteOf(revision, { phase: "Progressing", message: "" }), undefined);
});

test("the status counts works, and says why a rollout waits", () => {
  const work = (content: string, available: string) =>
    ({
      metadata: { name: "paint", annotations: { [contentAnnotation]: content } },
      status: {
        conditions: [
          { type: "Applied", status: "True" },
          { type: "Available", status: available },
        ],
      },
    }) as unknown as KubeObject;
  const rollout: any = { phase: "Waiting", message: "outside its maintenance window" };
  const part: Part = {
    ...{ placement: "shops", groups: 2, sites: ["a", "b", "c"], refused: new Map() },
    ...{ works: [work("x", "True"), work("y", "False")], rollout, decided: true },
  };
  const status: any = replicaSetStatus(setWith("x"), [part], "x", 0);
  assert.deepEqual(status.summary, {
    ...{ desiredTotal: 3, total: 2, updated: 1, applied: 2, available: 1 },
    ...{ degraded: 0, progressing: 0 },
  });
  assert.equal(status.placementSummary[0].availableDecisionGroups, "2 (2 / 3 clusters applied)");
  const reasons = status.conditions.map((one: any) => [one.type, one.status, one.reason]);
  assert.deepEqual(reasons, [
    ["PlacementVerified", "True", "AsExpected"],
    ["PlacementRolledOut", "False", "Waiting"],
    ["ManifestworkApplied", "False", "Processing"],
  ]);
  assert.match(status.conditions[1].message, /shops: outside its maintenance window/);
});
