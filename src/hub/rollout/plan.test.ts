import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutState, RolloutStrategy, SiteReport, SiteState } from "./model.ts";
import { planRollout } from "./plan.ts";

const now = 1_000_000_000;
const names = ["a", "b", "c", "d", "e"];

interface Reports {
  [site: string]: SiteState | [SiteState, agoSeconds: number];
}

function plan(strategy: RolloutStrategy, reports: Reports = {}, rest: Partial<RolloutState> = {}) {
  const read = Object.entries(reports).map(([site, of]): [string, SiteReport] => {
    const [state, ago] = typeof of === "string" ? ([of, 3600] as const) : of;
    return [site, { state, since: now - ago * 1000 }];
  });
  return planRollout({
    strategy,
    groups: [{ name: "", sites: names }],
    reports: new Map(read),
    now,
    ...rest,
  });
}

const two: RolloutStrategy = { type: "Progressive", progressive: { maxConcurrency: 2 } };
const progressive = (more: RolloutStrategy["progressive"]): RolloutStrategy => ({
  type: "Progressive",
  progressive: { maxConcurrency: 2, ...more },
});
const groups = [
  { name: "", sites: ["a", "b"] },
  { name: "canary", sites: ["c"] },
  { name: "", sites: ["d", "e"] },
];
const perGroup = (more: RolloutStrategy["progressivePerGroup"] = {}): RolloutStrategy => ({
  type: "ProgressivePerGroup",
  progressivePerGroup: more,
});
const canaryFirst = { mandatoryDecisionGroups: [{ groupName: "canary" }] };

type Row = [string, RolloutStrategy, Reports, string, string[], Partial<RolloutState>?];
const rows: Row[] = [
  ["all sites at once", {}, {}, "Progressing", names],
  ["as many as the concurrency allows", two, {}, "Progressing", ["a", "b"]],
  ["one for each that is done", two, { a: "Succeeded", b: "Progressing" }, "Progressing", ["c"]],
  [
    "a share of all sites, rounded up",
    progressive({ maxConcurrency: "50%" }),
    {},
    "Progressing",
    ["a", "b", "c"],
  ],
  [
    "nothing while a site has to prove itself",
    progressive({ maxConcurrency: 1, minSuccessTime: "5m" }),
    { a: ["Succeeded", 60] },
    "Progressing",
    [],
  ],
  [
    "the next site once one has proved itself",
    progressive({ maxConcurrency: 1, minSuccessTime: "5m" }),
    { a: ["Succeeded", 300] },
    "Progressing",
    ["b"],
  ],
  ["nothing after a failure", two, { a: "Failed", b: "Succeeded" }, "Stopped", []],
  [
    "nothing after a site is late",
    progressive({ progressDeadline: "10m" }),
    { a: ["Progressing", 600] },
    "Stopped",
    [],
  ],
  [
    "more while failures are within the limit",
    progressive({ maxFailures: "40%" }),
    { a: "Failed", b: "Failed" },
    "Progressing",
    ["c", "d"],
  ],
  [
    "nothing when failures are over the limit",
    progressive({ maxFailures: 1 }),
    { a: "Failed", b: "Failed" },
    "Stopped",
    [],
  ],
  ["the mandatory group first", progressive(canaryFirst), {}, "Progressing", ["c"], { groups }],
  [
    "all others after the mandatory group",
    progressive(canaryFirst),
    { c: "Succeeded" },
    "Progressing",
    ["a", "b"],
    { groups },
  ],
  [
    "nothing when the mandatory group fails, whatever the limit",
    progressive({ ...canaryFirst, maxFailures: "100%" }),
    { c: "Failed" },
    "Stopped",
    [],
    { groups },
  ],
  [
    "one group after the other",
    perGroup(),
    { a: "Succeeded", b: "Succeeded" },
    "Progressing",
    ["c"],
    { groups },
  ],
  [
    "nothing of the next group while one is at work",
    perGroup(),
    { a: "Succeeded", b: "Progressing" },
    "Progressing",
    [],
    { groups },
  ],
  ["nothing while it is paused", two, { a: "Succeeded" }, "Paused", [], { paused: true }],
  ["nothing once it is aborted", two, { a: "Succeeded" }, "Stopped", [], { aborted: "aborted" }],
  [
    "nothing while an alarm blocks it",
    two,
    {},
    "Waiting",
    [],
    { blocked: new Map([["", "alarm 280.001 at x"]]) },
  ],
  [
    "other sites than one with an alarm",
    two,
    {},
    "Progressing",
    ["b", "c"],
    { blocked: new Map([["a", "disk is full"]]) },
  ],
  [
    "sites whose window is open",
    two,
    {},
    "Progressing",
    ["d"],
    { windowOf: (site) => (site === "d" ? { open: true } : { open: false, opensAt: now + 1 }) },
  ],
  [
    "nothing when all is done",
    two,
    Object.fromEntries(names.map((name) => [name, "Succeeded" as const])),
    "Complete",
    [],
  ],
];

for (const [what, strategy, reports, phase, start, rest] of rows) {
  test(`a rollout begins ${what}`, () => {
    const found = plan(strategy, reports, rest);
    assert.equal(found.phase, phase, found.message);
    assert.deepEqual(found.start, start);
    assert.deepEqual(found.rollBack, []);
  });
}

test("a failed rollout goes back at every site that has the new content", () => {
  const reports: Reports = { a: "Failed", b: "Succeeded", c: "Progressing" };
  const found = plan(two, reports, { onFailure: "RollBack", hasPrevious: true });
  assert.equal(found.phase, "RollingBack");
  assert.deepEqual(found.rollBack.toSorted(), ["a", "b", "c"]);
  assert.match(found.message, /^a failed .*; next: the previous content goes back to 3 sites$/);
});

test("the first content of all cannot be taken back, and the rollout says so", () => {
  const found = plan(two, { a: "Failed" }, { onFailure: "RollBack", hasPrevious: false });
  assert.equal(found.phase, "Stopped");
  assert.match(found.message, /there is no previous content; 1 sites keep .*, 4 get nothing/);
});

test("a rollout is looked at again when a soak, a deadline or a window comes", () => {
  const soak = progressive({ minSuccessTime: "5m", progressDeadline: "1h" });
  const found = plan(soak, { a: ["Succeeded", 60], b: ["Progressing", 60] });
  assert.equal(found.wakeAt, now + 240_000);
  const shut = plan(two, {}, { windowOf: () => ({ open: false, opensAt: now + 7 }) });
  assert.equal(shut.phase, "Waiting");
  assert.equal(shut.wakeAt, now + 7);
});

test("sites that are at work never exceed the concurrency, whatever was given before", () => {
  const found = plan(two, { a: "Progressing", b: "Progressing", c: "Progressing" });
  assert.deepEqual(found.start, []);
});
