import assert from "node:assert/strict";
import { test } from "node:test";
import { planEviction } from "../eviction/plan.ts";
import { planInstances, planPool, poolMachine, setStatus } from "./plan.ts";

const object = (name: string, at: number, more: any = {}): any => ({
  metadata: { name, uid: name, creationTimestamp: `2030-01-01T00:00:0${at}Z`, ...more.metadata },
  spec: {},
  status: {
    phase: more.phase ?? "Running",
    conditions: [{ type: "Ready", status: more.ready ?? "True" }],
  },
});
const set = (spec: object): any => ({ metadata: { name: "web" }, spec });
const names = (list: any[]) => list.map(({ metadata }) => metadata.name);

test("a set has as many VMIs as it says, without those that are over", () => {
  const own = [object("a", 1), object("b", 2), object("c", 3, { ready: "False" })];
  const cases: [object, any[], number, string[]][] = [
    [{ replicas: 5 }, own, 2, []],
    [{ replicas: 3 }, own, 0, []],
    [{ replicas: 1 }, own, 0, ["c", "b"]],
    [{ replicas: 1, paused: true }, own, 0, []],
    [{}, [object("a", 1, { phase: "Failed" })], 1, ["a"]],
    [{ replicas: 1 }, [object("a", 1, { metadata: { deletionTimestamp: "now" } })], 1, []],
  ];
  for (const [spec, have, create, deleted] of cases) {
    const plan = planInstances(set(spec), have);
    assert.deepEqual([plan.create, names(plan.delete)], [create, deleted], JSON.stringify(spec));
  }
  const status = setStatus(
    set({ replicas: 3, selector: { matchLabels: { app: "web", a: "b" } } }),
    own,
  );
  assert.deepEqual(
    [status.replicas, status.readyReplicas, status.labelSelector],
    [3, 2, "app=web,a=b"],
  );
});

test("a pool's machines are numbered, the lowest free number first and the highest gone first", () => {
  const own = [object("web-0", 1), object("web-2", 2)];
  assert.deepEqual(planPool(set({ replicas: 4 }), own).create, [1, 3]);
  assert.deepEqual(names(planPool(set({ replicas: 1 }), own).delete), ["web-2"]);
});

test("each machine of a pool has disks of its own", () => {
  const pool = set({
    virtualMachineTemplate: {
      metadata: { labels: { app: "web" } },
      spec: {
        dataVolumeTemplates: [{ metadata: { name: "root" }, spec: {} }],
        template: {
          spec: {
            volumes: [
              { name: "a", dataVolume: { name: "root" } },
              { name: "b", dataVolume: { name: "shared" } },
            ],
          },
        },
      },
    },
  });
  const { metadata, spec } = poolMachine(pool, 3) as any;
  assert.deepEqual([metadata.name, metadata.labels], ["web-3", { app: "web" }]);
  assert.equal(spec.dataVolumeTemplates[0].metadata.name, "root-3");
  assert.deepEqual(
    spec.template.spec.volumes.map((one: any) => one.dataVolume.name),
    ["root-3", "shared"],
  );
});

test("a VM's pod is evicted, moved or kept as its strategy says", () => {
  const vmi = (evictionStrategy: string | undefined, migratable: string): any => ({
    metadata: { namespace: "shop", name: "till" },
    spec: { evictionStrategy },
    status: {
      phase: "Running",
      nodeName: "a",
      conditions: [{ type: "LiveMigratable", status: migratable }],
    },
  });
  const on = (nodeName: string) => ({ spec: { nodeName } });
  const cases: [string | undefined, string, string][] = [
    [undefined, "True", "evicted"],
    ["None", "True", "evicted"],
    ["LiveMigrate", "True", "moved"],
    ["LiveMigrate", "False", "kept"],
    ["LiveMigrateIfPossible", "True", "moved"],
    ["LiveMigrateIfPossible", "False", "evicted"],
    ["External", "False", "moved"],
  ];
  for (const [strategy, migratable, expected] of cases) {
    const plan = planEviction(vmi(strategy, migratable), on("a"));
    const became = plan.allow ? "evicted" : plan.evacuate ? "moved" : "kept";
    assert.equal(became, expected, `${strategy} ${migratable}`);
  }
  assert.equal(planEviction(vmi(undefined, "False"), on("a"), "LiveMigrate").allow, false);
  const left = planEviction(vmi("LiveMigrate", "True"), on("b"));
  assert.deepEqual([left.allow, (left as any).evacuate], [false, false], "it is there no more");
});
