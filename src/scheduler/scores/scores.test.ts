// One table: how each score ranks nodes "a" and "b", scaled to 0..100.
import assert from "node:assert/strict";
import { test } from "node:test";
import { info, node, snapshotOf, type NodeFixture, type PodFixture } from "../fixtures.ts";
import { scores } from "../profile.ts";

interface Row {
  score: string;
  when: string;
  pod?: PodFixture;
  a?: NodeFixture;
  b?: NodeFixture;
  onA?: PodFixture[];
  onB?: PodFixture[];
  /** Absent: the score has nothing to say. */
  gives?: [a: number, b: number];
}

const GiB = 2 ** 30;
const term = { topologyKey: "zone", labelSelector: { matchLabels: { app: "web" } } };
const preferred = (kind: "podAffinity" | "podAntiAffinity"): PodFixture => ({
  spec: {
    affinity: {
      [kind]: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term }],
      },
    },
  },
});
const web: PodFixture = { labels: { app: "web" } };
const replica: PodFixture = { owner: { kind: "ReplicaSet", uid: "rs" } };
const soft = { key: "k", effect: "PreferNoSchedule" };

const table: Row[] = [
  {
    score: "NodeResourcesFit",
    when: "one node is half full",
    pod: { requests: { cpu: "1", memory: "2Gi" } },
    onB: [{ requests: { cpu: "2", memory: "4Gi" } }],
    gives: [75, 25],
  },
  {
    score: "NodeResourcesBalancedAllocation",
    when: "one node has used only CPU",
    pod: { requests: { cpu: "1", memory: "2Gi" } },
    onB: [{ requests: { cpu: "2" } }],
    gives: [100, 75],
  },
  { score: "NodeResourcesBalancedAllocation", when: "nothing is asked for" },
  { score: "TaintToleration", when: "no taint is soft" },
  {
    score: "TaintToleration",
    when: "one node would rather not",
    b: { taints: [soft] },
    gives: [100, 0],
  },
  {
    score: "TaintToleration",
    when: "the taint is tolerated",
    b: { taints: [soft] },
    pod: { spec: { tolerations: [{ key: "k", operator: "Exists" }] } },
    gives: [100, 100],
  },
  {
    score: "NodeAffinity",
    when: "one node is preferred",
    b: { labels: { disk: "ssd" } },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 7,
                preference: {
                  matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }],
                },
              },
            ],
          },
        },
      },
    },
    gives: [0, 100],
  },
  { score: "ImageLocality", when: "no node has the image" },
  {
    score: "ImageLocality",
    when: "one node has the image",
    b: { images: [{ names: ["app:latest"], sizeBytes: GiB }] },
    gives: [0, 50],
  },
  { score: "InterPodAffinity", when: "nobody wishes anything" },
  {
    score: "InterPodAffinity",
    when: "friends are on one node",
    pod: preferred("podAffinity"),
    onB: [web],
    gives: [0, 100],
  },
  {
    score: "InterPodAffinity",
    when: "rivals are on one node",
    pod: preferred("podAntiAffinity"),
    onB: [web],
    gives: [100, 0],
  },
  {
    score: "InterPodAffinity",
    when: "a pod on one node would like its company",
    pod: web,
    onB: [preferred("podAffinity")],
    gives: [0, 100],
  },
  { score: "PodTopologySpread", when: "it has no siblings" },
  {
    score: "PodTopologySpread",
    when: "a sibling is on one node",
    pod: replica,
    onB: [replica],
    gives: [100, 0],
  },
  {
    score: "PodTopologySpread",
    when: "a constraint would like it elsewhere",
    pod: {
      ...web,
      spec: {
        topologySpreadConstraints: [{ ...term, maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway" }],
      },
    },
    onB: [web, web],
    gives: [100, 0],
  },
];

for (const row of table) {
  test(`${row.score}: ${row.when}`, () => {
    const snapshot = snapshotOf(
      [
        node("a", { ...row.a, labels: { zone: "1", ...row.a?.labels } }),
        node("b", { ...row.b, labels: { zone: "2", ...row.b?.labels } }),
      ],
      {
        a: (row.onA ?? []).map((of, i) => info(`a-${i}`, of)),
        b: (row.onB ?? []).map((of, i) => info(`b-${i}`, of)),
      },
    );
    const score = scores.find(({ name }) => name === row.score)!;
    const give = score.prepare(info("new", row.pod), snapshot, snapshot.nodes);
    const given = give && Float64Array.from(snapshot.nodes, give);
    if (given) score.normalize?.(given);
    assert.deepEqual(given && [...given], row.gives);
  });
}
