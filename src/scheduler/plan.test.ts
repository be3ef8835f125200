import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../lib/random.ts";
import { info, node, snapshotOf, type PodFixture } from "./fixtures.ts";
import { feasibleEnough, plan } from "./plan.ts";
import { Snapshot } from "./snapshot.ts";

const random = () => seededRandom(1);

test("a pod goes to the emptiest node that fits", () => {
  const snapshot = snapshotOf([node("a"), node("b")], {
    a: [info("old", { requests: { cpu: "2", memory: "4Gi" } })],
  });
  const small = info("new", { requests: { cpu: "1", memory: "1Gi" } });
  assert.deepEqual(plan(small, snapshot, random()), { node: "b" });
});

test("a pod that fits nowhere is told why, per node and with the chances of preemption", () => {
  const tainted = { taints: [{ key: "dedicated", value: "gpu", effect: "NoSchedule" }] };
  const snapshot = snapshotOf([node("a"), node("b"), node("c", tainted)]);
  const big = info("big", { requests: { cpu: "5" } });
  const result = plan(big, snapshot, random());
  assert.ok("unschedulable" in result);
  assert.equal(
    result.unschedulable.message,
    "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, " +
      "2 Insufficient cpu. preemption: 0/3 nodes are available: " +
      "3 Preemption is not helpful for scheduling.",
  );
  assert.deepEqual([...result.filters].sort(), ["NodeResourcesFit", "TaintToleration"]);
});

test("a full cluster without lesser pods offers no victims", () => {
  const snapshot = snapshotOf([node("a")], { a: [info("old", { requests: { cpu: "4" } })] });
  const result = plan(info("new", { requests: { cpu: "1" } }), snapshot, random());
  assert.ok("unschedulable" in result);
  assert.equal(
    result.unschedulable.message,
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: " +
      "1 No preemption victims found for incoming pod.",
  );
});

test("without nodes there is nothing to say of them", () => {
  const result = plan(info("new"), new Snapshot(), random());
  assert.ok("unschedulable" in result);
  assert.equal(result.unschedulable.message, "no nodes available to schedule pods");
});

test("enough suitable nodes are looked for, as upstream counts enough", () => {
  const table: [number, number][] = [
    [0, 0],
    [99, 99],
    [100, 100],
    [1000, 420],
    [5000, 500],
    [20_000, 1000],
  ];
  for (const [all, enough] of table) assert.equal(feasibleEnough(all), enough, `${all} nodes`);
});

test("a pod promised a node keeps its place against equals and lesser ones", () => {
  const snapshot = snapshotOf([node("a")]);
  const important = { requests: { cpu: "3" }, spec: { priority: 10 } };
  snapshot.nominate(info("promised", important), "a");
  const rival = info("rival", { requests: { cpu: "2" } });
  assert.ok("unschedulable" in plan(rival, snapshot, random()));
  const better = info("better", { requests: { cpu: "2" }, spec: { priority: 11 } });
  assert.deepEqual(plan(better, snapshot, random()), { node: "a" });
  assert.equal(snapshot.pods.size, 0);
});

test("replicas of one owner stand on different nodes", () => {
  const names = ["a", "b", "c", "d"];
  const snapshot = snapshotOf(names.map((name) => node(name)));
  const owner = { kind: "ReplicaSet", uid: "rs" };
  const used = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const replica = info(`replica-${i}`, { owner, requests: { cpu: "100m" } });
    const result = plan(replica, snapshot, random());
    assert.ok("node" in result);
    snapshot.place(replica, result.node);
    used.add(result.node);
  }
  assert.deepEqual([...used].sort(), names);
});

test("no plan ever puts more on a node than it has", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const chance = seededRandom(seed);
    const upTo = (n: number) => Math.floor(chance.float() * n);
    const nodes = Array.from({ length: 1 + upTo(12) }, (_, i) =>
      node(`n${i}`, {
        allocatable: { cpu: `${1 + upTo(4)}`, memory: `${1 + upTo(8)}Gi`, pods: `${1 + upTo(20)}` },
      }),
    );
    const snapshot = snapshotOf(nodes);
    for (let i = 0; i < 150; i++) {
      const of: PodFixture = {
        requests: { cpu: `${upTo(1500)}m`, memory: `${upTo(3000)}Mi` },
        spec: {
          priority: upTo(3),
          containers: [
            {
              name: "main",
              resources: { requests: { cpu: `${upTo(1500)}m`, memory: `${upTo(3000)}Mi` } },
              ports: upTo(4) === 0 ? [{ containerPort: 80, hostPort: 80 + upTo(3) }] : [],
            },
          ],
        },
      };
      const each = info(`p${i}`, of);
      const result = plan(each, snapshot, chance);
      if ("node" in result) snapshot.place(each, result.node);
      else if (result.preemption) {
        for (const victim of result.preemption.victims) snapshot.remove(victim.uid);
        const again = plan(each, snapshot, chance);
        assert.ok("node" in again, "victims make enough room");
        snapshot.place(each, again.node);
      }
      if (upTo(10) === 0) {
        const [gone] = snapshot.pods.keys();
        if (gone) snapshot.remove(gone);
      }
      for (const n of snapshot.nodes) {
        assert.ok(n.usedCpu <= n.cpu && n.usedMemory <= n.memory && n.pods.size <= n.podsMax);
        for (const taken of n.ports.values()) assert.equal(taken.length, 1);
      }
    }
  }
});
