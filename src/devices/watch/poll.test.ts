import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import type { Device } from "../discovery/handler.ts";
import { poll } from "./poll.ts";

const device = (id: string): Device => ({ id, properties: {}, mounts: [], nodes: [] });

test("a device that is missed once is looked for sooner and is not gone; missed thrice it is", async () => {
  const clock = new FakeClock();
  const looks = [["a"], [], ["a"], [], [], []];
  const told: string[][] = [];
  const { signal } = new AbortController();
  const at: number[] = [];
  const look = async () => {
    at.push(clock.monotonic());
    return (looks.shift() ?? []).map(device);
  };
  const run = async () => {
    for await (const devices of poll(look, { clock, signal, missesMax: 3 })) {
      told.push(devices.map(({ id }) => id));
    }
  };
  void run();
  for (let i = 0; i < 40; i++) await clock.advance(1000);
  assert.deepEqual(told, [["a"], []]);
  assert.deepEqual(at.slice(0, 6), [0, 10_000, 11_000, 21_000, 22_000, 23_000]);
});
