import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlarmRule } from "../kinds/alarm-rule.ts";
import type { Alarm } from "../kinds/alarm.ts";
import { blockedSites } from "./blocks.ts";
import { clearedMax, historyOf, keptMs, planAlarms, ruleLabel } from "./plan.ts";
import { planReport, siteLabel, toldMax } from "./report.ts";

const now = Date.parse("2026-03-01T12:00:00Z");
const at = (seconds: number) => new Date(now + seconds * 1000).toISOString();

const rule = (more: object = {}) =>
  ({
    metadata: { name: "node-not-ready" },
    spec: {
      id: "NodeNotReady",
      severity: "critical",
      kind: "Node",
      condition: { type: "Ready", statuses: ["False", "Unknown"] },
      forSeconds: 60,
      managementAffecting: true,
      ...more,
    },
  }) as unknown as AlarmRule;

const node = (name: string, status: string, seconds: number, message = "gone") =>
  ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { zone: name } },
    status: { conditions: [{ type: "Ready", status, message, lastTransitionTime: at(seconds) }] },
  }) as any;

const plan = (objects: any[], alarms: Alarm[] = [], rules = [rule()]) =>
  planAlarms({ rules, objectsOf: () => objects, alarms, now });

/** The alarm that `plan` raises for a node, as the server keeps it. */
function raised(name: string, status?: object): Alarm {
  const [finding] = plan([node(name, "False", -100)]).raise;
  const { name: own, namespace, spec } = finding!;
  const metadata = { name: own, namespace, labels: { [ruleLabel]: finding!.rule } };
  return { metadata, spec, ...(status && { status }) } as unknown as Alarm;
}

test("an alarm is raised when its condition has held for long enough, and the time till then is told", () => {
  const { raise, wakeAt } = plan([
    node("a", "False", -61),
    node("b", "Unknown", -20),
    node("c", "True", -100),
  ]);
  assert.deepEqual(
    raise.map(({ namespace, spec }) => [namespace, spec.entity, spec.reason, spec.raisedAt]),
    [["kube-system", "Node/a", "gone", at(0).replace(".000", "")]],
  );
  assert.equal(wakeAt, now + 40_000);
});

test("a condition that says it began in the future began now", () => {
  const { raise, wakeAt } = plan([node("a", "False", 1e6)]);
  assert.deepEqual([raise.length, wakeAt], [0, now + 60_000]);
});

test("a rule asks about the objects that it selects", () => {
  const only = rule({ selector: { matchLabels: { zone: "b" } } });
  const { raise } = plan([node("a", "False", -99), node("b", "False", -99)], [], [only]);
  assert.deepEqual(
    raise.map(({ spec }) => spec.entity),
    ["Node/b"],
  );
});

test("an alarm stays as it is while its cause does, and follows its words", () => {
  const alarm = raised("a");
  assert.deepEqual(plan([node("a", "False", -100)], [alarm]), {
    ...{ raise: [], update: [], clear: [], forget: [] },
  });
  // It flapped, which does not start its time anew.
  assert.deepEqual(plan([node("a", "False", -1)], [alarm]).clear, []);
  const { update } = plan([node("a", "False", -100, "no heartbeat")], [alarm]);
  assert.equal(update[0]!.finding.spec.reason, "no heartbeat");
});

test("an alarm whose cause is over, or whose object is gone, is cleared", () => {
  const alarm = raised("a");
  assert.deepEqual(plan([node("a", "True", -1)], [alarm]).clear, [alarm]);
  assert.deepEqual(plan([], [alarm]).clear, [alarm]);
});

test("an alarm that returns remembers the times before", () => {
  const alarm = raised("a", { clearedAt: at(-10) });
  assert.equal(plan([node("a", "False", -100)], [alarm]).update.length, 1);
  assert.deepEqual(historyOf(alarm), [{ raisedAt: alarm.spec.raisedAt, clearedAt: at(-10) }]);
});

test("alarms that are over are forgotten when they are old, or many", () => {
  const old = raised("a", { clearedAt: new Date(now - keptMs).toISOString() });
  const fresh = raised("b", { clearedAt: at(-1) });
  assert.deepEqual(plan([], [old, fresh]).forget, [old]);
  const many = Array.from({ length: clearedMax + 1 }, (_, i) =>
    raised(`n${i}`, { clearedAt: at(-i - 1) }),
  );
  assert.deepEqual(plan([], many).forget, [many.at(-1)]);
});

test("alarms that people or sites made are left to them", () => {
  const alarm = raised("a");
  const other = { ...alarm, metadata: { ...alarm.metadata, labels: {} } } as Alarm;
  const { raise, clear } = plan([], [other]);
  assert.deepEqual([raise, clear], [[], []]);
});

test("an alarm that affects management blocks its site, unless it is over or suppressed", () => {
  const of = (namespace: string, spec: object, status?: object) => {
    const alarm = raised("a", status);
    return {
      ...alarm,
      metadata: { name: "x", namespace },
      spec: { ...alarm.spec, ...spec },
    } as Alarm;
  };
  const blocked = blockedSites([
    of("farm", {}),
    of("shop", { managementAffecting: false }),
    of("mill", { suppressed: true }),
    of("mine", {}, { clearedAt: at(0) }),
  ]);
  assert.deepEqual([...blocked], [["farm", "alarm NodeNotReady of Node/a: gone"]]);
});

test("a site tells its hub what is new, what changed and what is gone", () => {
  const alarm = raised("a");
  const [draft] = planReport([alarm], [], "farm").create;
  assert.deepEqual(draft!.metadata, {
    name: `kube-system.${alarm.metadata.name}`,
    namespace: "farm",
    labels: { [siteLabel]: "farm" },
  });
  const told = draft as unknown as Alarm;
  assert.deepEqual(planReport([alarm], [told], "farm"), { create: [], update: [], remove: [] });
  const over = { ...alarm, status: { clearedAt: at(0) } } as Alarm;
  assert.deepEqual(planReport([over], [told], "farm").update, [
    { at: told, status: { clearedAt: at(0), history: [] } },
  ]);
  assert.deepEqual(planReport([], [told], "farm").remove, [told]);
  const suppressed = { ...told, spec: { ...told.spec, suppressed: true } } as Alarm;
  assert.deepEqual(planReport([alarm], [suppressed], "farm").update, []);
});

test("of too many alarms the gravest are told", () => {
  const many = Array.from({ length: toldMax }, (_, i) => {
    const alarm = raised(`n${i}`);
    return { ...alarm, spec: { ...alarm.spec, severity: "minor" } } as Alarm;
  });
  const { create } = planReport([...many, raised("grave")], [], "farm");
  assert.equal(create.length, toldMax);
  assert.equal((create[0] as any).spec.entity, "Node/grave");
});
