import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import type { Pod } from "../pods/pod.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import { GracefulShutdown } from "./graceful-shutdown.ts";
import { shutdownIn } from "./logind.ts";
import { shutdownSteps } from "./plan.ts";

const pod = (name: string, priority = 0, grace = 30): Pod =>
  ({
    metadata: { name, uid: name },
    spec: { priority, terminationGracePeriodSeconds: grace, containers: [] },
  }) as unknown as Pod;

const times = { gracePeriodMs: 30_000, criticalMs: 10_000 };

test("critical pods end last, in the time that is kept for them", () => {
  const steps = shutdownSteps([pod("web"), pod("network", 2_000_000_000)], times);
  assert.deepEqual(
    steps.map(({ pods, mostMs }) => [pods.map(({ metadata }) => metadata.name), mostMs]),
    [
      [["web"], 20_000],
      [["network"], 10_000],
    ],
  );
});

test("what systemd says is understood, and the rest let pass", () => {
  const says = (data: unknown[]) =>
    JSON.stringify({ type: "signal", member: "PrepareForShutdown", payload: { type: "b", data } });
  assert.equal(shutdownIn(says([true])), true);
  assert.equal(shutdownIn(says([false])), false);
  assert.equal(shutdownIn('{"type":"signal","member":"UserNew"}'), undefined);
  assert.equal(shutdownIn("Monitoring bus message stream."), undefined);
});

test("the machine waits until pods have ended, and no longer than it was told", async () => {
  const clock = new FakeClock();
  const worker = (one: Pod) =>
    ({ pod: one, instances: { sandbox: {} }, state: { finished: false } }) as unknown as PodWorker;
  const [web, stuck] = [worker(pod("web")), worker(pod("stuck", 2_000_000_000, 60))];
  const told: string[] = [];
  let tell = (_isComing: boolean) => {};
  let released = false;
  const shutdown = new GracefulShutdown({
    shutdowns: { follow: (listener) => void (tell = listener), release: () => (released = true) },
    times,
    workers: () => [web, stuck],
    end: ({ pod: { metadata } }, { graceMs }) => told.push(`${metadata.name} ${graceMs}`),
    onChange: () => {},
    clock,
    log: silent,
  });
  const pass = async (ms: number) => {
    await clock.advance(ms);
    await setImmediate();
  };
  tell(true);
  assert.ok(shutdown.isComing);
  await pass(1000);
  assert.deepEqual(told, ["web 20000"]);
  Object.assign(web.instances, { sandbox: undefined });
  await pass(1000);
  assert.deepEqual(told, ["web 20000", "stuck 10000"]);
  await pass(5000);
  assert.equal(released, false);
  await pass(6000);
  assert.ok(released, "one that does not end holds nobody up for ever");
});
