import assert from "node:assert/strict";
import { test } from "node:test";
import type { OperationStatus } from "../kinds/site-operation.ts";
import type { StrategyStatus, UpdateStrategy } from "../kinds/update-strategy.ts";
import { planStrategy } from "./plan.ts";
import type { SiteView } from "./plan.ts";

type Spec = Partial<UpdateStrategy["spec"]>;

/** A strategy over sites a, b, c ... that goes on by itself, as a hub and its sites do it. */
class World {
  readonly sites = new Map<string, SiteView>();
  readonly operations = new Map<string, OperationStatus>();
  status: StrategyStatus | undefined;
  spec: UpdateStrategy["spec"];

  constructor(names: string, spec: Spec = {}) {
    this.spec = { operation: { type: "Backup" }, ...spec };
    for (const name of names) this.see(name);
  }

  see(name: string, more: Partial<SiteView> = {}) {
    const view = { name, isManaged: true, isOnline: true, isOpen: true, ...more };
    this.sites.set(name, view);
    return this;
  }

  plan(more: { pace?: Spec } = {}) {
    const { spec, status, sites, operations } = this;
    const chosen = [...sites.values()];
    const plan = planStrategy({ spec, status, sites, operations, chosen, pace: more.pace ?? {} });
    this.status = plan.status;
    for (const site of plan.start) this.operations.set(site, {});
    return plan;
  }

  end(site: string, phase: "Complete" | "Failed" = "Complete") {
    this.operations.set(site, { phase, message: `it is ${phase}` });
    return this;
  }

  get states() {
    return this.status!.sites.map(({ site, state }) => `${site}:${state}`).join(" ");
  }
}

test("two sites at once, in order of name, and the next when one is done", () => {
  const world = new World("dbca");
  assert.deepEqual(world.plan().start, ["a", "b"]);
  assert.deepEqual(world.plan().start, []);
  assert.equal(world.status!.state, "Applying");
  assert.deepEqual(world.end("b").plan().start, ["c"]);
  world.end("a").end("c").plan();
  world.end("d").plan();
  assert.equal(world.status!.state, "Complete");
  assert.deepEqual([world.status!.done, world.status!.total], [4, 4]);
});

for (const [what, spec, pace, begun] of [
  ["the strategy's own pace", { maxParallel: 3 }, { maxParallel: 1 }, 3],
  ["the group's pace", {}, { maxParallel: 1 }, 1],
  ["two", {}, {}, 2],
] as const) {
  test(`${what} counts`, () => {
    assert.equal(new World("abcd", spec).plan({ pace }).start.length, begun);
  });
}

test("the first failure stops new starts; what runs is finished, the rest stays as it was", () => {
  const world = new World("abcd");
  world.plan();
  assert.deepEqual(world.end("a", "Failed").plan().start, []);
  assert.equal(world.status!.state, "Applying");
  world.end("b").plan();
  assert.equal(world.status!.state, "Failed");
  assert.equal(world.states, "a:Failed b:Complete c:Initial d:Initial");
  assert.match(world.status!.message, /since a failed; 2 of 4 were not begun/);
});

test("without a stop it goes on, and is a failure in the end", () => {
  const world = new World("abc", { stopOnFailure: false, maxParallel: 1 });
  world.plan();
  assert.deepEqual(world.end("a", "Failed").plan().start, ["b"]);
  world.end("b").plan();
  world.end("c").plan();
  assert.equal(world.status!.state, "Failed");
  assert.match(world.status!.message, /^a failed/);
});

test("given up, it begins nothing, finishes what runs, and says so", () => {
  const world = new World("abc");
  world.plan();
  world.spec.aborted = true;
  world.plan();
  assert.equal(world.status!.state, "Aborting");
  assert.equal(world.states, "a:Applying b:Applying c:Aborted");
  world.end("a").end("b").plan();
  assert.equal(world.status!.state, "Aborted");
});

test("paused, nothing begins; afterwards it goes on", () => {
  const world = new World("ab", { paused: true });
  assert.deepEqual(world.plan().start, []);
  assert.equal(world.status!.state, "Paused");
  world.spec.paused = false;
  assert.deepEqual(world.plan().start, ["a", "b"]);
});

for (const [what, view, why] of [
  ["an offline site", { isOnline: false }, /offline/],
  ["a closed window", { isOpen: false }, /maintenance window/],
  ["an alarm", { blocked: "alarm X of Node/n: hot" }, /alarm X/],
  ["another strategy", { busy: "Backup (nightly)" }, /waits for Backup \(nightly\)/],
] as const) {
  test(`${what} waits, and takes nobody's place`, () => {
    const world = new World("bc", { maxParallel: 1 }).see("a", view);
    assert.deepEqual(world.plan().start, ["b"]);
    assert.match(world.status!.sites[0]!.message!, why);
    world.see("a");
    assert.deepEqual(world.end("b").plan().start, ["a"]);
  });
}

test("force heeds neither windows nor alarms, and still no offline site", () => {
  const world = new World("", { force: true, maxParallel: 9 })
    .see("a", { isOpen: false })
    .see("b", { blocked: "alarm" })
    .see("c", { isOnline: false });
  assert.deepEqual(world.plan().start, ["a", "b"]);
});

test("the sites are chosen once: those that come later are another strategy's", () => {
  const world = new World("ab").see("z", { isManaged: false });
  world.plan();
  world.see("c");
  world.end("a").end("b").plan();
  assert.equal(world.states, "a:Complete b:Complete z:Skipped");
  assert.equal(world.status!.state, "Complete");
});

test("a site that leaves is passed over, or has failed when something ran there", () => {
  const world = new World("abc", { maxParallel: 1, stopOnFailure: false });
  world.plan();
  world.sites.delete("a");
  world.sites.delete("b");
  world.operations.delete("a");
  assert.deepEqual(world.plan().start, ["c"]);
  assert.equal(world.states, "a:Failed b:Skipped c:Applying");
});

test("a strategy that chose nobody is a failure that says so", () => {
  const world = new World("");
  world.plan();
  assert.equal(world.status!.state, "Failed");
  assert.match(world.status!.message, /no site was chosen/);
});

test("a hub that crashed before it asked asks again", () => {
  const world = new World("ab", { maxParallel: 1 });
  world.plan();
  world.operations.clear();
  const plan = world.plan();
  assert.equal(world.states, "a:Applying b:Initial");
  assert.deepEqual(plan.start, ["a"]);
});
