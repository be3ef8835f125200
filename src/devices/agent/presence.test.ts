import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Found } from "./plan-instances.ts";
import { Presence } from "./presence.ts";

const wishes = (presence: object) => ({ spec: { presence } }) as Configuration;
const found = (name: string, properties: Record<string, string> = {}, paths?: string) => {
  const device = { id: name, properties, mounts: [], nodes: [] };
  return { name, hash: name, shared: false, device, paths };
};
const seen = (...names: string[]) =>
  new Map<string, Found>(names.map((name) => [name, found(name)]));
const set = (...names: string[]) =>
  new Map(names.map((name) => [name, { properties: {}, paths: undefined }]));

test("a device counts as there once it was seen for as long as was asked for", async () => {
  const clock = new FakeClock();
  const presence = new Presence(clock);
  const settle = wishes({ settleSeconds: 5 });
  const first = presence.look(seen("a"), settle, set());
  assert.deepEqual([first.found.size, first.wakeAfterMs], [0, 5001]);
  await clock.advance(3000);
  presence.look(seen(), settle, set());
  await clock.advance(3000);
  assert.equal(presence.look(seen("a"), settle, set()).found.size, 0, "it flapped");
  await clock.advance(5001);
  assert.deepEqual([...presence.look(seen("a"), settle, set()).found.keys()], ["a"]);
});

test("one that had an Instance before this agent started does not settle again", () => {
  const presence = new Presence(new FakeClock());
  const look = presence.look(seen("a"), wishes({ settleSeconds: 5 }), set("a"));
  assert.deepEqual([...look.found.keys()], ["a"]);
});

test("one that goes stays until its grace is over, and is said to be away", async () => {
  const clock = new FakeClock();
  const presence = new Presence(clock);
  const grace = wishes({ graceSeconds: 10 });
  presence.look(seen("a"), grace, set());
  const gone = presence.look(seen(), grace, set("a"));
  assert.deepEqual([[...gone.found.keys()], [...gone.away]], [["a"], ["a"]]);
  await clock.advance(10_001);
  assert.equal(presence.look(seen(), grace, set("a")).found.size, 0);
});

for (const [graceSeconds, keptMs] of [
  [0, 60_000],
  [300, 300_000],
] as const) {
  const what = `with a grace of ${graceSeconds} seconds`;
  test(`${what}, an Instance of an earlier agent is kept, its device unknown`, async () => {
    const clock = new FakeClock();
    const presence = new Presence(clock);
    const grace = wishes({ graceSeconds });
    assert.deepEqual([...presence.look(seen(), grace, set("a")).kept], ["a"]);
    await clock.advance(keptMs - 1);
    assert.equal(presence.look(seen(), grace, set("a")).kept.size, 1);
    await clock.advance(2);
    assert.equal(presence.look(seen(), grace, set("a")).kept.size, 0);
    assert.equal(presence.look(seen(), grace, set("a")).kept.size, 0, "it was given up already");
  });
}

test("what this agent gave up is not kept a second time while it is on its way out", () => {
  const presence = new Presence(new FakeClock());
  presence.look(seen("a"), wishes({}), set());
  assert.equal(presence.look(seen(), wishes({}), set("a")).kept.size, 0);
  assert.equal(presence.look(seen(), wishes({}), set("a")).kept.size, 0);
});

const address = { ADDRESS: "10.0.0.1" };

test("what an earlier agent told of a device is held for a minute, unless its paths changed", async () => {
  const clock = new FakeClock();
  const presence = new Presence(clock);
  const before = new Map([
    ["a", { properties: address, paths: undefined }],
    ["b", { properties: address, paths: "video0" }],
  ]);
  const now = new Map([
    ["a", found("a")],
    ["b", found("b", {}, "video1")],
  ]);
  const told = () => {
    const look = presence.look(now, wishes({}), before);
    return ["a", "b"].map((name) => look.found.get(name)?.device.properties);
  };
  assert.deepEqual(told(), [address, {}]);
  await clock.advance(60_001);
  assert.deepEqual(told(), [{}, {}]);
});

test("what a handler had seen that is gone is held for a minute, and what others see is not", async () => {
  const clock = new FakeClock();
  const presence = new Presence(clock);
  presence.look(seen("a", "b"), wishes({}), set());
  presence.hold(new Set(["a"]));
  const names = () => [...presence.look(seen(), wishes({}), set("a", "b")).found.keys()];
  assert.deepEqual(names(), ["a"]);
  await clock.advance(60_001);
  assert.deepEqual(names(), []);
});

test("nothing is held of what is not looked for any more", () => {
  const presence = new Presence(new FakeClock());
  presence.look(seen("a"), wishes({}), set("a"));
  presence.release();
  assert.equal(presence.look(seen(), wishes({}), set("a")).found.size, 0);
});
