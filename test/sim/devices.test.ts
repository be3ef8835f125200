import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateDevices } from "./devices.ts";

for (const seed of [1, 2, 3, 4]) {
  test(`of a device with two slots no third is given out in ten minutes of trouble, seed ${seed}`, async () => {
    const story = { seed, nodes: 2, capacity: 2, users: 3, minutes: 10 };
    const { violations, faults, served } = await simulateDevices(story);
    assert.deepEqual(violations, []);
    const all = Object.values(faults).reduce((sum, count) => sum + count, 0);
    assert.ok(all > 15, `${all} faults`);
    assert.ok(served > 5, `${served} served`);
  });
}
