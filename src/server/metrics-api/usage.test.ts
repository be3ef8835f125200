import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import type { NodeUsage } from "../../lib/node-connection.ts";
import { ratesBetween, UsageReader } from "./usage.ts";

const second = 1e9;
const pod = (name: string) => ({ namespace: "default", name, uid: name });
const container = (of: string, id: string, cpu: number) => ({
  pod: pod(of),
  name: "c",
  id,
  cpuNanoseconds: cpu,
  workingSetBytes: 1024,
});
const usage = (cpu: number, ...containers: NodeUsage["containers"]): NodeUsage => ({
  cpuNanoseconds: cpu,
  workingSetBytes: 4096,
  containers,
});

test("usage of cpu is what was used between two looks", () => {
  const before = { atMs: 1000, usage: usage(10 * second, container("a", "1", 2 * second)) };
  const after = { atMs: 3000, usage: usage(13 * second, container("a", "1", 3 * second)) };
  const { nanocores, memoryBytes, windowMs, pods } = ratesBetween(before, after, 0);
  assert.deepEqual([nanocores, memoryBytes, windowMs], [1.5 * second, 4096, 2000]);
  assert.deepEqual(pods[0]!.containers.get("c"), { nanocores: second / 2, memoryBytes: 1024 });
});

test("a pod with a container that was not there before is left out", () => {
  const before = { atMs: 0, usage: usage(0, container("a", "1", 0)) };
  const both = [container("a", "1", 5), container("a", "2", 5), container("b", "3", 5)];
  assert.deepEqual(ratesBetween(before, { atMs: 1000, usage: usage(0, ...both) }, 0).pods, []);
});

test("nodes are looked at when somebody asks, and not again while the answer is fresh", async () => {
  const clock = new FakeClock();
  let looks = 0;
  const connection = { usage: async () => usage(++looks * second) };
  const reader = new UsageReader(async () => connection as never, clock);
  const first = reader.of("a");
  await clock.advance(1000);
  assert.equal((await first).nanocores, second);
  assert.equal(looks, 2);
  await reader.of("a");
  assert.equal(looks, 2);
  await clock.advance(10_000);
  assert.equal((await reader.of("a")).windowMs, 10_000);
  assert.equal(looks, 3);
  await clock.advance(600_000);
  const late = reader.of("a");
  await clock.advance(1000);
  assert.equal((await late).windowMs, 1000, "an old look says nothing of now");
});
