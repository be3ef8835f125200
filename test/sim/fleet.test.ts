import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateFleet } from "./fleet.ts";

for (const seed of [1, 2, 3]) {
  test(`a fleet of 15 sites lives through twenty minutes of trouble, seed ${seed}`, async () => {
    const { violations, faults, changes } = await simulateFleet({ seed, sites: 15, minutes: 20 });
    assert.deepEqual(violations, []);
    // That nothing went wrong proves something only where much could have.
    const all = Object.values(faults).reduce((sum, count) => sum + count, 0);
    assert.ok(all > 40, `${all} faults`);
    assert.ok(changes > 5, `${changes} changes`);
  });
}

test("the same seed gives the same story", async () => {
  const tellInto = (lines: string[]) => (line: string) => void lines.push(line);
  const [one, other]: [string[], string[]] = [[], []];
  const fleet = { seed: 7, sites: 6, minutes: 10 };
  const first = await simulateFleet({ ...fleet, tell: tellInto(one) });
  const second = await simulateFleet({ ...fleet, tell: tellInto(other) });
  assert.deepEqual(second, first);
  assert.deepEqual(other, one);
  assert.ok(one.length > 10);
});

for (const [sabotage, found] of [
  ["limit", /sites at once get/],
  ["silence", /lost what the hub wants there/],
  ["stranger", /was never accepted/],
  ["unmatched", /which nobody sent it|has no work for/],
  ["late", /got what the hub has no work for/],
  ["loss", /in the end, not/],
] as const) {
  test(`the judge finds what is done wrong: ${sabotage}`, async () => {
    const fleet = { seed: 11, sites: 10, minutes: 8, settleMinutes: 1, light: true, sabotage };
    const { violations } = await simulateFleet(fleet);
    assert.ok(
      violations.some((one) => found.test(one)),
      violations.join("\n"),
    );
  });
}
