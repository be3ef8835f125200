import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { startCluster } from "../../test/support/cluster.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { seededRandom } from "../lib/random.ts";
import { Scope } from "../lib/scope.ts";
import { StatusError } from "../lib/status-error.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";
import { claimOf, leaseDurationMs, renewDeadlineMs, startElection } from "./leader-election.ts";

const wallMs = Date.UTC(2026, 0, 2);
const renewTime = "2026-01-02T00:00:00.000000Z";
const held = { holderIdentity: "other", leaseDurationSeconds: 15, leaseTransitions: 3 };

test("a lease is taken when it is nobody's, given back or run out", () => {
  const fresh = { leaseDurationSeconds: 15, acquireTime: renewTime, renewTime };
  const cases = [
    { seen: undefined, nowMs: 0, transitions: 0 },
    { seen: held, nowMs: 14_999, transitions: undefined },
    { seen: held, nowMs: 15_000, transitions: 4 },
    { seen: { ...held, holderIdentity: "" }, nowMs: 1, transitions: 4 },
    // Whatever the wall clocks of others say.
    { seen: { ...held, renewTime: "1970-01-01T00:00:00Z" }, nowMs: 1, transitions: undefined },
  ];
  for (const { seen, nowMs, transitions } of cases) {
    const observed = seen && { spec: seen, atMs: 0 };
    const wanted = transitions !== undefined && {
      ...fresh,
      holderIdentity: "me",
      leaseTransitions: transitions,
    };
    const claim = claimOf(observed, "me", { monotonicMs: nowMs, wallMs });
    assert.deepEqual(claim, wanted || undefined);
  }
});

test("a holder keeps the time it began at", () => {
  const spec = { ...held, holderIdentity: "me", acquireTime: "2026-01-01T00:00:00.000000Z" };
  const claim = claimOf({ spec, atMs: 0 }, "me", { monotonicMs: 60_000, wallMs });
  assert.equal(claim?.acquireTime, spec.acquireTime);
  assert.equal(claim?.leaseTransitions, 3);
  assert.equal(claim?.renewTime, renewTime);
});

/** A client that can be cut off. */
function cuttable(client: Client) {
  const cut = { off: false };
  const gate = new Proxy(client, {
    get: (target, name) => {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        if (cut.off) return Promise.reject(new StatusError("ServiceUnavailable", "cut off"));
        return method.apply(target, args);
      };
    },
  });
  return { cut, client: gate };
}

async function contest() {
  const clock = new FakeClock();
  const cluster = startCluster({ clock });
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } };
  await cluster.client.create(resource("v1", "namespaces"), namespace);
  const leading = new Set<string>();
  const join = (identity: string) => {
    const scope = new Scope();
    const { cut, client } = cuttable(cluster.client);
    startElection({
      client,
      namespace: "kube-system",
      name: "control",
      identity,
      lead: async (term) => {
        leading.add(identity);
        term.defer(() => void leading.delete(identity));
      },
      clock,
      random: seededRandom(1),
      log: silent,
      scope,
    });
    return { cut, stop: () => scope.close() };
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500);
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      assert.ok(leading.size <= 1, "two lead at once");
    }
  };
  return { cluster, leading, join, pass };
}

test("one of two leads, and the other follows when it stops", async () => {
  const { cluster, leading, join, pass } = await contest();
  const one = join("one");
  await pass(500);
  const two = join("two");
  await pass(60_000);
  assert.deepEqual([...leading], ["one"]);
  await one.stop();
  assert.deepEqual([...leading], []);
  await pass(3000);
  assert.deepEqual([...leading], ["two"]);
  await two.stop();
  await cluster.scope.close();
});

test("a leader that is cut off stops before another begins, and may lead again", async () => {
  const { cluster, leading, join, pass } = await contest();
  const one = join("one");
  await pass(500);
  const two = join("two");
  await pass(4000);
  one.cut.off = true;
  await pass(renewDeadlineMs + 3000);
  assert.deepEqual([...leading], []);
  await pass(leaseDurationMs);
  assert.deepEqual([...leading], ["two"]);
  one.cut.off = false;
  two.cut.off = true;
  await pass(2 * leaseDurationMs);
  assert.deepEqual([...leading], ["one"]);
  await Promise.all([one.stop(), two.stop()]);
  await cluster.scope.close();
});
