import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../test/support/cluster.ts";
import type { Cluster } from "../../test/support/cluster.ts";
import { resource } from "../client/client.ts";
import { startControllers } from "./runtime.ts";
import type { Controller, ControllersOptions } from "./runtime.ts";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");
const namespace = "default";

let cluster: Cluster;
let options: ControllersOptions;
beforeEach(() => {
  cluster = startCluster();
  options = { ...cluster, discover: async () => [] };
});
afterEach(() => cluster.scope.close());

const create = (name: string, data: object = {}) =>
  cluster.client.create(
    { ...configMaps, namespace },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data },
  );

/** Gives a promise of the moment when the keys that were reconciled are `wanted`. */
function recorder() {
  const keys: string[] = [];
  let look = () => {};
  return {
    keys,
    add: (key: string) => {
      keys.push(key);
      look();
    },
    until: (holds: (keys: string[]) => boolean) =>
      new Promise<void>((resolve) => {
        look = () => holds(keys) && resolve();
        look();
      }),
  };
}

const controller = (more: Partial<Controller>): Controller => ({
  name: "test",
  inputs: [{ resource: configMaps }],
  outputs: [],
  reconcile: async () => {},
  ...more,
});

test("what exists and what comes is reconciled by key", async () => {
  await create("before");
  const seen = recorder();
  await startControllers([controller({ reconcile: async (key) => seen.add(key) })], options);
  await create("after");
  await seen.until((keys) => keys.length === 2);
  assert.deepEqual(seen.keys, ["default/before", "default/after"]);
});

test("an object that leaves a key wakes that key too", async () => {
  const seen = recorder();
  const owner = (map: any) => (map?.data?.owner ? [map.data.owner] : []);
  const inputs = [
    {
      resource: configMaps,
      keys: (map: any, _: unknown, previous?: any) => [...owner(map), ...owner(previous)],
    },
  ];
  await startControllers(
    [controller({ inputs, reconcile: async (key) => seen.add(key) })],
    options,
  );
  await create("a", { owner: "one" });
  await seen.until((keys) => keys.includes("one"));
  const target = { ...configMaps, namespace, name: "a" };
  await cluster.client.patch(target, "merge", { data: { owner: "two" } });
  await seen.until((keys) => keys.includes("two") && keys.filter((k) => k === "one").length === 2);
});

test("ten controllers of one resource share one informer", async () => {
  let watches = 0;
  const watch: typeof cluster.client.watch = (...given) => {
    watches += 1;
    return cluster.client.watch(...given);
  };
  const { Informers } = await import("../client/informers.ts");
  const { clock, log, scope } = cluster;
  const informers = new Informers({ client: { ...cluster.client, watch }, clock, log, scope });
  const ten = Array.from({ length: 10 }, (_, i) => controller({ name: `test-${i}` }));
  await startControllers(ten, { ...options, informers });
  assert.equal(watches, 1);
});

test("a controller reads only what it declares", async () => {
  let refused: unknown;
  const start: Controller["start"] = (context) => {
    try {
      context.informer(secrets);
    } catch (error) {
      refused = error;
    }
  };
  await startControllers([controller({ start })], options);
  assert.match(String(refused), /test reads secrets but does not declare it/);
});

test("a failed key comes again, and every try is observed", async () => {
  const seen = recorder();
  let failures = 2;
  const reconcile = async () => {
    if (failures-- > 0) throw new Error("not yet");
  };
  const observe: ControllersOptions["observe"] = ({ failed }) =>
    seen.add(failed ? "failed" : "done");
  await startControllers([controller({ reconcile })], { ...options, observe });
  await create("a");
  await seen.until((keys) => keys.length === 3);
  assert.deepEqual(seen.keys, ["failed", "failed", "done"]);
});
