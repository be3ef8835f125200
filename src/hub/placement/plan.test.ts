import assert from "node:assert/strict";
import { test } from "node:test";
import { Misconfigured } from "./model.ts";
import type { ManagedCluster, PlacementSpec } from "./model.ts";
import { planPlacement } from "./plan.ts";
import type { PlacementState } from "./plan.ts";

const now = Date.UTC(2026, 0, 2);
const meta = { uid: "u", resourceVersion: "1", creationTimestamp: "" };

interface Site {
  labels?: Record<string, string>;
  claims?: Record<string, string>;
  taints?: object[];
  cpu?: string;
  accepted?: boolean;
  leaving?: boolean;
}

function site(name: string, of: Site = {}): ManagedCluster {
  const cpu = of.cpu && { cpu: of.cpu };
  return {
    apiVersion: "cluster.open-cluster-management.io/v1",
    kind: "ManagedCluster",
    metadata: {
      ...meta,
      name,
      labels: { "cluster.open-cluster-management.io/clusterset": "edge", ...of.labels },
      ...(of.leaving && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    spec: { hubAcceptsClient: of.accepted ?? true, taints: (of.taints ?? []) as [] },
    status: {
      clusterClaims: Object.entries(of.claims ?? {}).map(([n, value]) => ({ name: n, value })),
      ...(cpu && { allocatable: cpu, capacity: cpu }),
    },
  };
}

function plan(
  spec: PlacementSpec,
  sites: Record<string, Site>,
  { chosen = [], ...rest }: { chosen?: string[] } & Partial<Omit<PlacementState, "chosen">> = {},
) {
  return planPlacement({
    placement: {
      apiVersion: "cluster.open-cluster-management.io/v1beta1",
      kind: "Placement",
      metadata: { ...meta, name: "p", namespace: "default" },
      spec,
    },
    clusters: Object.entries(sites).map(([name, of]) => site(name, of)),
    sets: [
      { metadata: { name: "edge" }, spec: {} },
      {
        metadata: { name: "global" },
        spec: { clusterSelector: { selectorType: "LabelSelector", labelSelector: {} } },
      },
    ],
    bound: ["edge"],
    load: new Map(),
    addOnScores: new Map(),
    cel: (expression, cluster) => {
      if (expression === "wrong(") throw new Misconfigured("syntax error");
      return expression === `name == "${cluster.metadata.name}"`;
    },
    now,
    ...rest,
    chosen: new Set(chosen),
  });
}

const chosenBy = (found: ReturnType<typeof plan>) =>
  found.decisions?.flatMap(({ decisions }) => decisions.map((one) => one.clusterName));
const satisfied = (found: ReturnType<typeof plan>) =>
  found.conditions.find(({ type }) => type === "PlacementSatisfied")!.reason;

const label = (labels: Record<string, string>) => ({
  requiredClusterSelector: { labelSelector: { matchLabels: labels } },
});
const only = (name: string, weight = 1) => ({
  prioritizerPolicy: {
    mode: "Exact",
    configurations: [{ scoreCoordinate: { type: "BuiltIn", builtIn: name }, weight }],
  },
});
const unreachable = { key: "unreachable", effect: "NoSelect", timeAdded: "2026-01-01T23:59:00Z" };

const regions = {
  a: { labels: { region: "north" }, cpu: "8" },
  b: { labels: { region: "north" }, cpu: "7" },
  c: { labels: { region: "south" }, cpu: "2" },
  d: { cpu: "1" },
};
const by = (whenUnsatisfiable: string) => ({
  spreadPolicy: {
    spreadConstraints: [
      { topologyKey: "region", topologyKeyType: "Label", maxSkew: 1, whenUnsatisfiable },
    ],
  },
});

type Row = [string, PlacementSpec, Record<string, Site>, string[], Parameters<typeof plan>[2]?];
const rows: Row[] = [
  ["all of the bound sets", {}, { b: {}, a: {} }, ["a", "b"]],
  ["no cluster that was not accepted", {}, { a: { accepted: false }, b: {} }, ["b"]],
  ["no cluster that leaves", {}, { a: { leaving: true }, b: {} }, ["b"]],
  ["no cluster of an unbound set", { clusterSets: ["global"] }, { a: {} }, []],
  [
    "clusters that any predicate matches",
    { predicates: [label({ size: "s" }), label({ size: "m" })] },
    { a: { labels: { size: "s" } }, b: { labels: { size: "l" } }, c: { labels: { size: "m" } } },
    ["a", "c"],
  ],
  [
    "clusters by claims",
    {
      predicates: [
        {
          requiredClusterSelector: {
            claimSelector: { matchExpressions: [{ key: "gpu", operator: "Exists" }] },
          },
        },
      ],
    },
    { a: { claims: { gpu: "1" } }, b: {} },
    ["a"],
  ],
  [
    "clusters by CEL",
    {
      predicates: [
        { requiredClusterSelector: { celSelector: { celExpressions: ['name == "b"'] } } },
      ],
    },
    { a: {}, b: {} },
    ["b"],
  ],
  ["no cluster with a taint", {}, { a: { taints: [unreachable] }, b: {} }, ["b"]],
  [
    "a cluster whose taint is tolerated for longer",
    { tolerations: [{ key: "unreachable", operator: "Exists", tolerationSeconds: 90 }] },
    { a: { taints: [unreachable] } },
    ["a"],
  ],
  [
    "no cluster whose toleration is over",
    { tolerations: [{ key: "unreachable", operator: "Exists", tolerationSeconds: 30 }] },
    { a: { taints: [unreachable] } },
    [],
  ],
  [
    "what it has in spite of NoSelectIfNew",
    {},
    { a: { taints: [{ key: "k", effect: "NoSelectIfNew" }] }, b: {} },
    ["a", "b"],
    { chosen: ["a"] },
  ],
  [
    "nothing new in spite of NoSelectIfNew",
    {},
    { a: { taints: [{ key: "k", effect: "NoSelectIfNew" }] }, b: {} },
    ["b"],
  ],
  [
    "the largest clusters when asked to",
    { numberOfClusters: 2, ...only("ResourceAllocatableCPU") },
    { a: { cpu: "2" }, b: { cpu: "8" }, c: { cpu: "6" }, d: { cpu: "a lot" } },
    ["b", "c"],
  ],
  ["what it has", { numberOfClusters: 1 }, { a: {}, b: {} }, ["b"], { chosen: ["b"] }],
  [
    "what others use least",
    { numberOfClusters: 1, ...only("Balance") },
    { a: {}, b: {} },
    ["b"],
    { load: new Map([["a", 3]]) },
  ],
  [
    "what an add-on prefers",
    {
      numberOfClusters: 1,
      prioritizerPolicy: {
        configurations: [
          {
            scoreCoordinate: { type: "AddOn", addOn: { resourceName: "r", scoreName: "s" } },
            weight: 10,
          },
        ],
      },
    },
    { a: {}, b: {} },
    ["b"],
    {
      chosen: ["a"],
      addOnScores: new Map([
        [
          "b/r",
          {
            metadata: { name: "r", namespace: "b" },
            status: { scores: [{ name: "s", value: 50 }] },
          },
        ],
      ]),
    },
  ],
  [
    "one of each region before a second",
    { numberOfClusters: 2, ...only("ResourceAllocatableCPU"), ...by("DoNotSchedule") },
    regions,
    ["a", "c"],
  ],
  [
    "no more than the skew allows",
    { ...only("ResourceAllocatableCPU"), ...by("DoNotSchedule") },
    { ...regions, e: { labels: { region: "north" } } },
    ["a", "b", "c"],
  ],
  [
    "more than the skew allows when that is only a wish",
    { numberOfClusters: 4, ...only("ResourceAllocatableCPU"), ...by("ScheduleAnyway") },
    regions,
    ["a", "b", "c", "d"],
  ],
];

for (const [what, spec, sites, expected, rest] of rows) {
  test(`a placement chooses ${what}`, () => {
    assert.deepEqual(chosenBy(plan(spec, sites, rest)), expected);
  });
}

const reasons: [string, PlacementSpec, Record<string, Site>, string, Partial<PlacementState>?][] = [
  ["AllDecisionsScheduled", {}, { a: {} }, "all are chosen"],
  ["NotAllDecisionsScheduled", { numberOfClusters: 2 }, { a: {} }, "there are too few"],
  ["NoManagedClusterSetBindings", {}, { a: {} }, "no set is bound", { bound: [] }],
  ["NoIntersection", { clusterSets: ["x"] }, { a: {} }, "other sets are bound"],
  ["AllManagedClusterSetsEmpty", {}, {}, "sets are empty"],
  ["NoManagedClusterMatched", { predicates: [label({ x: "y" })] }, { a: {} }, "nothing matches"],
];
for (const [reason, spec, sites, when, state] of reasons) {
  test(`a placement says ${reason} when ${when}`, () => {
    const { chosen: _, ...rest } = state ?? {};
    assert.equal(satisfied(plan(spec, sites, rest)), reason);
  });
}

const wrong: [string, PlacementSpec, RegExp][] = [
  ["an unknown prioritizer", only("Luck"), /no built-in prioritizer "Luck"/],
  ["a toleration without a key", { tolerations: [{ value: "x" }] }, /operator Exists/],
  [
    "an expression that is none",
    {
      predicates: [{ requiredClusterSelector: { celSelector: { celExpressions: ["wrong("] } } }],
    },
    /syntax error/,
  ],
];
for (const [what, spec, message] of wrong) {
  test(`a placement with ${what} changes nothing and says so`, () => {
    const found = plan(spec, { a: {} }, { chosen: ["a"] });
    assert.equal(found.decisions, undefined);
    const condition = found.conditions.find(({ type }) => type === "PlacementMisconfigured")!;
    assert.equal(condition.status, "True");
    assert.match(condition.message, message);
  });
}

test("clusters are divided into named groups, then into groups of a size", () => {
  const canary = { labels: { canary: "yes" } };
  const found = plan(
    {
      decisionStrategy: {
        groupStrategy: {
          clustersPerDecisionGroup: "50%",
          decisionGroups: [
            {
              groupName: "canary",
              groupClusterSelector: { labelSelector: { matchLabels: { canary: "yes" } } },
            },
          ],
        },
      },
    },
    { a: {}, b: canary, c: {}, d: {}, e: {}, f: {} },
  );
  assert.deepEqual(found.groups, [
    { name: "canary", clusters: ["b"] },
    { name: "", clusters: ["a", "c", "d"] },
    { name: "", clusters: ["e", "f"] },
  ]);
  assert.deepEqual(found.decisions![1]!.labels, {
    "cluster.open-cluster-management.io/placement": "p",
    "cluster.open-cluster-management.io/decision-group-index": "1",
    "cluster.open-cluster-management.io/decision-group-name": "",
  });
});

test("a decision object holds at most a hundred clusters", () => {
  const names = Array.from({ length: 250 }, (_, i) => [`s${i}`, {}] as const);
  const { decisions } = plan({}, Object.fromEntries(names));
  assert.deepEqual(
    decisions!.map((one) => [one.name, one.decisions.length]),
    [
      ["p-decision-1", 100],
      ["p-decision-2", 100],
      ["p-decision-3", 50],
    ],
  );
});

test("a placement of nothing has one empty decision", () => {
  const { decisions } = plan({}, {});
  assert.deepEqual(
    decisions!.map((one) => one.decisions),
    [[]],
  );
});

test("a placement is looked at again when a toleration ends", () => {
  const tolerations = [{ key: "unreachable", operator: "Exists", tolerationSeconds: 90 }];
  const { wakeAt } = plan({ tolerations }, { a: { taints: [unreachable] } });
  assert.equal(wakeAt, now + 30_000);
});
