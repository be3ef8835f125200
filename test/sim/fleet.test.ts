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
