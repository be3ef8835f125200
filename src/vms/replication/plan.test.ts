import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import type { CopyLink } from "../control.ts";
import { placeCopies } from "./place.ts";
import { planReplication } from "./plan.ts";
import type { MachineSeen, ReplicationSeen, ReplicationStep, User } from "./plan.ts";
import type { ReplicationRecord } from "./record.ts";

const record = (
  a: boolean,
  b: boolean,
  rest: Partial<ReplicationRecord> = {},
): ReplicationRecord => ({
  copies: [
    { node: "a", state: a ? "Current" : "Stale" },
    { node: "b", state: b ? "Current" : "Stale" },
  ],
  identical: false,
  ...rest,
});
const guest: User = {
  ...{ name: "guest", uid: "1", kind: "machine", isGated: false, node: "a" },
  ...{ isOver: false, isClean: false },
};
const writer = { pod: "guest", uid: "1", nodes: ["a", "b"] };
const released = { ...writer, released: true };
const up = ["a", "b"];
const plan = (seen: Partial<ReplicationSeen> & { record: ReplicationRecord }) =>
  planReplication({ users: [guest], up, ...seen });
const machine = (isReleased: boolean, link: CopyLink, bytes = 1024): MachineSeen => ({
  ...{ isReleased, bytes },
  links: { b: link },
});

/** What a step records: which copies are current, whether they are the same, whether the guest may write. */
function recorded(step: ReplicationStep) {
  if (step.do !== "record" && step.do !== "take") return step.do;
  const { copies, identical, writer: next } = step.record;
  const states = copies.filter(({ state }) => state === "Current").map(({ node }) => node);
  const word = next?.released ? "writes" : next ? "waits" : "nobody";
  return `${states.join("+")} ${identical ? "same" : "differ"} ${word}`;
}

test("a machine is let in where the copies are current, and nobody else beside it", () => {
  const gated = { ...guest, isGated: true };
  const take = plan({ record: record(true, true), users: [gated] });
  assert.deepEqual([take.do, (take as any).nodes], ["take", ["a", "b"]]);
  const stale = plan({ record: record(true, false), users: [gated] });
  assert.deepEqual((stale as any).nodes, ["a"]);
  const lost = plan({ record: record(true, false), users: [gated], up: ["b"] });
  assert.deepEqual(lost, { do: "nothing", why: "no current copy can be reached" });
  const admit = plan({ record: record(true, true, { writer }), users: [gated] });
  assert.deepEqual(admit, { do: "admit", user: gated, nodes: ["a", "b"] });
  const second = { ...gated, name: "second", uid: "2" };
  const held = plan({
    record: record(true, true, { writer: released }),
    users: [guest, second],
    machine: machine(true, "alike"),
  });
  assert.deepEqual(held, { do: "nothing", why: "guest uses it" });
});

test("what fills a disk leaves one current copy, and what reads it changes nothing", () => {
  const task: User = { ...guest, kind: "task", isGated: true };
  assert.equal(recorded(plan({ record: record(true, true), users: [task] })), "a differ waits");
  const reader: User = { ...task, kind: "reader" };
  const step = plan({ record: record(false, true), users: [reader] });
  assert.deepEqual(step, { do: "admit", user: reader, nodes: ["b"] });
});

test("a guest writes only once the record says to which copies", () => {
  const same = record(true, true, { identical: true, writer });
  const rows: [string, ReplicationRecord, any, string][] = [
    ["both the same: linked first", same, machine(false, "none"), "attach"],
    ["linked: both stay current", same, machine(false, "alike"), "a+b differ writes"],
    ["the link broke before", same, machine(false, "silent"), "a differ writes"],
    [
      "they differ: the other is stale until it was copied anew",
      record(true, true, { writer }),
      machine(false, "none"),
      "a differ writes",
    ],
    ["recorded", record(true, true, { writer: released }), machine(false, "alike"), "release"],
    [
      "recorded, and then the link broke",
      record(true, true, { writer: released }),
      machine(false, "broken"),
      "a differ writes",
    ],
    ["alone", record(true, false, { writer: released }), machine(false, "none"), "release"],
  ];
  for (const [name, of, seen, wanted] of rows) {
    assert.equal(recorded(plan({ record: of, machine: seen })), wanted, name);
  }
});

test("a copy that is out of reach is stale before writes go on, and copied anew when it is back", () => {
  const both = record(true, true, { writer: released });
  const alone = record(true, false, { writer: released });
  const rows: [string, ReplicationRecord, any, string[], string][] = [
    ["well", both, machine(true, "alike"), up, "nothing"],
    ["silent", both, machine(true, "silent"), up, "a differ writes"],
    ["failed", both, machine(true, "broken"), up, "a differ writes"],
    ["then let go", alone, machine(true, "silent"), up, "detach"],
    ["away", alone, machine(true, "none"), ["a"], "nothing"],
    ["back", alone, machine(true, "none"), up, "attach"],
    ["copying", alone, machine(true, "syncing"), up, "nothing"],
    ["copied", alone, machine(true, "alike"), up, "a+b differ writes"],
    ["its node does not say", both, undefined, up, "nothing"],
  ];
  for (const [name, of, seen, there, wanted] of rows) {
    const step = plan({ record: of, up: there, ...(seen && { machine: seen }) });
    assert.equal(recorded(step), wanted, name);
  }
  const back = plan({ record: alone, machine: machine(true, "none") });
  assert.deepEqual(back, { do: "attach", from: "a", to: "b", sync: "full" });
});

test("copies are the same after a clean end, and not known to be after any other", () => {
  const both = record(true, true, { writer: released });
  const over = (more: Partial<User>) =>
    recorded(plan({ record: both, users: [{ ...guest, isOver: true, ...more }] }));
  assert.equal(over({ isClean: true }), "a+b same nobody");
  assert.equal(over({}), "a+b differ nobody");
  assert.equal(recorded(plan({ record: both, users: [] })), "a+b differ nobody");
  const never = record(true, true, { identical: true, writer });
  assert.equal(recorded(plan({ record: never, users: [] })), "a+b same nobody");
});

test("when the writer's node is lost, the other goes on alone, and the first is stale when it is back", () => {
  const before = record(true, true, { writer: released });
  const freed = planReplication({ record: before, users: [], up: ["b"] });
  const next: User = { ...guest, name: "next", uid: "2", isGated: true };
  const taken = planReplication({
    record: (freed as any).record,
    users: [next],
    up: ["b"],
  });
  assert.deepEqual([taken.do, (taken as any).nodes], ["take", ["b"]]);
  const there = { ...next, isGated: false, node: "b" };
  const starts = planReplication({
    record: (taken as any).record,
    users: [there],
    up: ["b"],
    machine: machine(false, "none"),
  });
  assert.equal(recorded(starts), "b differ writes");
});

test("a disk grows without its link, and both copies are the larger ones afterwards", () => {
  const both = record(true, true, { writer: released });
  const alone = record(true, false, { writer: released });
  const rows: [string, ReplicationRecord, any, string][] = [
    ["linked: alone first", both, machine(true, "alike"), "a differ writes"],
    ["then let go", alone, machine(true, "alike"), "detach"],
    ["then larger", alone, machine(true, "none"), "grow"],
    ["larger: said, and then linked again", alone, machine(true, "none", 2048), "grown"],
    ["out of reach: as ever", both, machine(true, "silent"), "a differ writes"],
  ];
  for (const [name, of, seen, wanted] of rows) {
    assert.equal(recorded(plan({ record: of, machine: seen, wantedBytes: 2048 })), wanted, name);
  }
  const idle = { record: record(true, true), users: [], wantedBytes: 2048 };
  assert.deepEqual(plan(idle), { do: "grow", bytes: 2048 });
  assert.equal(plan({ ...idle, up: ["a"] }).do, "nothing");
});

test("a guest that moves is handed both copies once it has arrived, and nobody else writes meanwhile", () => {
  const both = record(true, true, { writer: released });
  const mover: User = { ...guest, name: "mover", uid: "2", node: "b", movesFor: "vmi" };
  const { node: _, ...unplaced } = mover;
  const gated = { ...unplaced, isGated: true };
  const at = (users: User[], machineSeen: any, more: object = {}) =>
    plan({ record: both, users, machine: machineSeen, ...more });
  const admitted = at([guest, gated], machine(true, "alike"));
  assert.deepEqual(admitted, { do: "admit", user: gated, nodes: ["b"] });
  const differ = plan({
    ...{ record: record(true, false, { writer: released }), users: [guest, gated] },
    machine: machine(true, "syncing"),
  });
  assert.equal(differ.do, "nothing");
  const switching = { ...machine(true, "none"), isSwitching: true as const };
  assert.equal(at([guest, mover], switching).do, "nothing");
  const over = { ...guest, isOver: true };
  for (const users of [
    [guest, mover],
    [over, mover],
  ]) {
    const step = at(users, switching, { hasArrived: true });
    assert.equal(recorded(step), "a+b same waits");
    assert.deepEqual((step as any).record.writer, { pod: "mover", uid: "2", nodes: ["b"] });
  }
  const stayed = at([guest], machine(true, "none"));
  assert.equal(recorded(stayed), "a differ writes", "its move failed: the other copy is stale");
});

test("a guest that comes to a stale copy is ended, and the current one stays", () => {
  const mover: User = { ...guest, name: "mover", uid: "2", node: "b", movesFor: "vmi" };
  const stale = record(true, false, { writer: released });
  for (const hasArrived of [true, false]) {
    assert.equal(plan({ record: stale, users: [guest, mover], hasArrived }).do, "end");
  }
});

/** Of three: which are current, and how the writer on `a` is linked to the others. */
function three(current: string, links: Record<string, CopyLink>, rest: Partial<ReplicationRecord>) {
  const copies = ["a", "b", "c"].map((node) => ({
    node,
    state: current.includes(node) ? ("Current" as const) : ("Stale" as const),
  }));
  return {
    record: { copies, identical: false, writer: released, ...rest },
    machine: { isReleased: !rest.writer, bytes: 1024, links },
  };
}

test("of three copies those that can be written to stay current", () => {
  const same = { identical: true, writer };
  const rows: [string, ReturnType<typeof three>, unknown][] = [
    ["the first", three("abc", { b: "none", c: "none" }, same), "b none"],
    ["the second", three("abc", { b: "alike", c: "none" }, same), "c none"],
    ["not yet", three("abc", { b: "alike", c: "syncing" }, same), "nothing"],
    ["all", three("abc", { b: "alike", c: "alike" }, same), "a+b+c differ writes"],
    ["without one", three("abc", { b: "alike", c: "broken" }, same), "a+b differ writes"],
    ["recorded", three("ab", { b: "alike", c: "none" }, { writer: released }), "release"],
    ["lost", three("abc", { b: "silent", c: "alike" }, {}), "a+c differ writes"],
    ["both lost", three("abc", { b: "silent", c: "broken" }, {}), "a differ writes"],
    ["QEMU waits", three("abc", { b: "silent", c: "unknown" }, {}), "a+c differ writes"],
    ["let go", three("ac", { b: "silent", c: "unknown" }, {}), "let b go"],
    ["both let go", three("a", { b: "silent", c: "broken" }, {}), "let b+c go"],
    ["not said", three("ac", { b: "unknown", c: "alike" }, {}), "nothing"],
    ["back", three("ac", { b: "none", c: "alike" }, {}), "b full"],
    ["one after another", three("a", { b: "syncing", c: "none" }, {}), "nothing"],
    ["has all", three("ac", { b: "alike", c: "alike" }, {}), "a+b+c differ writes"],
    ["lost meanwhile", three("ac", { b: "syncing", c: "silent" }, {}), "a differ writes"],
  ];
  for (const [name, seen, wanted] of rows) {
    const step = plan({ ...seen, up: ["a", "b", "c"] });
    const said =
      step.do === "attach"
        ? `${step.to} ${step.sync}`
        : step.do === "detach"
          ? `let ${step.to.join("+")} go`
          : recorded(step);
    assert.equal(said, wanted, name);
  }
});

test("a guest that stands still for a copy goes on once that is recorded, wherever the copy is", () => {
  const alone = { record: record(true, false, { writer: released }), up: ["a"] };
  const waits = { ...machine(true, "none"), isWaiting: true as const };
  assert.deepEqual(plan({ ...alone, machine: waits }), { do: "detach", from: "a", to: ["b"] });
  assert.equal(plan({ ...alone, machine: machine(true, "none") }).do, "nothing");
});

test("a guest moves while its copies stay as they are", () => {
  const mover: User = { ...guest, name: "mover", uid: "2", node: "b", movesFor: "vmi" };
  const { node: _, ...unplaced } = mover;
  const gated = { ...unplaced, isGated: true };
  const at = (seen: ReturnType<typeof three>, one: User) =>
    plan({ ...seen, up: ["a", "b", "c"], users: [guest, one] });
  const all = three("abc", { b: "alike", c: "alike" }, {});
  assert.deepEqual(at(all, gated), { do: "admit", user: gated, nodes: ["b", "c"] });
  const syncing = three("ab", { b: "alike", c: "syncing" }, {});
  assert.equal(at(syncing, gated).do, "nothing");
  const back = three("ab", { b: "alike", c: "none" }, {});
  assert.deepEqual(at(back, gated), { do: "admit", user: gated, nodes: ["b"] });
  assert.equal(at(back, mover).do, "nothing", "a copy that is back waits until it has moved");
  const moved = { ...mover, uid: "1", node: "a" };
  const after = plan({ ...back, up: ["a", "b", "c"], users: [moved] });
  assert.deepEqual(after, { do: "attach", from: "a", to: "c", sync: "full" });
  const stays = at(three("abc", { b: "silent", c: "alike" }, {}), mover);
  assert.equal(recorded(stays), "a+c differ writes");
});

test("copies go to nodes that run machines and have the fewest", () => {
  const node = (name: string, rest: object = {}): KubeObject =>
    ({
      metadata: { name, labels: { "kubevirt.io/schedulable": "true" } },
      status: { conditions: [{ type: "Ready", status: "True" }] },
      ...rest,
    }) as any;
  const nodes = [node("a"), node("b"), node("c"), node("d", { spec: { unschedulable: true } })];
  const load = (name: string) => (name === "a" ? 3 : 0);
  assert.deepEqual(placeCopies({ nodes, load, copies: 2 }), ["b", "c"]);
  assert.deepEqual(placeCopies({ nodes, load, copies: 3 }), ["b", "c", "a"]);
  assert.equal(placeCopies({ nodes, load, copies: 4 }), undefined);
});
