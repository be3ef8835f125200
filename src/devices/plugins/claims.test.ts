// Slots under contention: whoever comes first has them, and nobody has one twice.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Claims } from "./claims.ts";
import { ConfigurationPlugin } from "./configuration-plugin.ts";
import { Fresh } from "./fresh.ts";
import { InstancePlugin } from "./instance-plugin.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { slotName } from "./slots.ts";

const namespace = "default";
const name = "cam-8120fe";

let cluster: DeviceCluster;
let clock: FakeClock;
beforeEach(async () => {
  cluster = await startDeviceCluster();
  clock = new FakeClock();
});
afterEach(() => cluster.scope.close());

const make = (capacity: number, deviceUsage: Record<string, string> = {}) =>
  cluster.client.create<Instance>(
    { ...instances, namespace },
    {
      apiVersion: "akri.sh/v0",
      kind: "Instance",
      metadata: { name },
      spec: {
        configurationName: "cam",
        cdiName: "akri.sh/cam=8120fe",
        capacity,
        shared: true,
        nodes: ["a", "b"],
        deviceUsage,
      },
    },
  );

const configuration = {
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "cam" },
} as Configuration;

const usage = async () => {
  const { spec } = await cluster.client.get<Instance>({ ...instances, namespace, name });
  return spec.deviceUsage ?? {};
};

const partsOf = (node: string) => ({
  node,
  claims: new Claims(cluster.client, node),
  deviceOf: () => undefined,
  fresh: new Fresh(clock, 5000),
});

test("a hundred claims of ten nodes for ten slots give each slot once", async () => {
  const instance = await make(10);
  const nodes = Array.from({ length: 10 }, (_, i) => `node-${i}`);
  const granted: string[] = [];
  await Promise.all(
    nodes.map(async (node) => {
      const plugin = new InstancePlugin(`akri.sh/${name}`, instance, partsOf(node));
      for (let slot = 0; slot < 10; slot++) {
        const id = slotName(name, slot);
        await plugin.allocate([id]).then(
          () => granted.push(`${id} ${node}`),
          () => {},
        );
      }
    }),
  );
  assert.equal(granted.length, 10);
  assert.deepEqual(
    Object.entries(await usage())
      .map(([slot, node]) => `${slot} ${node}`)
      .sort(),
    granted.sort(),
  );
});

test("a slot that somebody declared free is free", async () => {
  const instance = await make(1, { [`${name}-0`]: "" });
  await new InstancePlugin(`akri.sh/${name}`, instance, partsOf("a")).allocate([`${name}-0`]);
  assert.deepEqual(await usage(), { [`${name}-0`]: "a" });
});

test("one resource's slots are not the other's, and two of any device are two devices", async () => {
  const instance = await make(2);
  const parts = partsOf("a");
  const any = new ConfigurationPlugin(configuration, parts);
  any.update([instance]);
  assert.deepEqual(
    any.devices().map(({ id }) => id),
    ["cam-0"],
  );
  await any.allocate(["cam-0"]);
  const own = new InstancePlugin(`akri.sh/${name}`, instance, parts);
  await assert.rejects(
    own.allocate([`${name}-0`]),
    /cannot claim slot .*: it is held by C:cam-0:a/,
  );
  await own.allocate([`${name}-1`]);
  assert.deepEqual(await usage(), { [`${name}-0`]: "C:cam-0:a", [`${name}-1`]: "a" });
});

test("what a pod got while the server was asked is not given back", async () => {
  const instance = await make(2);
  const plugin = new InstancePlugin(`akri.sh/${name}`, instance, partsOf("a"));
  await plugin.allocate([`${name}-0`, `${name}-1`]);
  plugin.update(await cluster.client.get<Instance>({ ...instances, namespace, name }));
  await clock.advance(5001);
  let held = [`${name}-0`];
  const told = plugin.keepOnly(() => held);
  held = [`${name}-1`];
  await told;
  assert.deepEqual(await usage(), { [`${name}-1`]: "a" });
});

test("what no pod holds is free again, but what was just given out", async () => {
  const instance = await make(2);
  const plugin = new InstancePlugin(`akri.sh/${name}`, instance, partsOf("a"));
  await plugin.allocate([`${name}-0`, `${name}-1`]);
  plugin.update(await cluster.client.get<Instance>({ ...instances, namespace, name }));
  assert.equal(await plugin.keepOnly(() => [`${name}-0`]), true);
  assert.equal(Object.keys(await usage()).length, 2);
  await clock.advance(5001);
  assert.equal(await plugin.keepOnly(() => [`${name}-0`]), false);
  assert.deepEqual(await usage(), { [`${name}-0`]: "a" });
});
