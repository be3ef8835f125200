import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Found } from "./plan-instances.ts";
import { Presence } from "./presence.ts";

const wishes = (presence: object) => ({ spec: { presence } }) as Configuration;
const seen = (...names: string[]) => new Map(names.map((name) => [name, { name } as Found]));
const set = (...names: string[]) => new Set(names);

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
  const { found } = presence.look(seen("a"), wishes({ settleSeconds: 5 }), set("a"));
  assert.deepEqual([...found.keys()], ["a"]);
});

test("one that goes stays until its grace is over, and is said to be away", async () => {
  const clock = new FakeClock();
  const presence = new Presence(clock);
  const grace = wishes({ graceSeconds: 10 });
  presence.look(seen("a"), grace, set("a"));
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
