// The driver as a kubelet calls it, against a cluster with claims.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { resource } from "../../client/client.ts";
import { Claims } from "../plugins/claims.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { Driver } from "./driver.ts";
import { healthOf } from "./health.ts";

const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
const namespace = "default";
const name = "cam-8120fe";

let cluster: DeviceCluster;
let files: Map<string, string>;
beforeEach(async () => {
  cluster = await startDeviceCluster();
  files = new Map();
});
afterEach(() => cluster.scope.close());

const make = (capacity: number) =>
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
        brokerProperties: { PLACE: "gate" },
        nodes: ["a"],
      },
    },
  );

async function claim(of: string, device: string) {
  const spec = {
    devices: { requests: [{ name: "cam", exactly: { deviceClassName: "akri.sh" } }] },
  };
  const made = await cluster.client.create(
    { ...resourceClaims, namespace },
    { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name: of }, spec },
  );
  const result = { driver: "akri.sh", pool: `${namespace}/${name}`, device, request: "cam" };
  const status = { allocation: { devices: { results: [result] } } };
  const target = { ...resourceClaims, namespace, name: of, subresource: "status" };
  await cluster.client.patch(target, "merge", { status });
  return { namespace, name: of, uid: made.metadata.uid };
}

const driverOf = (isSeen = true) =>
  new Driver({
    ...cluster,
    node: "a",
    claims: new Claims(cluster.client, "a"),
    known: () => cluster.informer(instances).list() as Instance[],
    allocationOf: ({ spec }) =>
      isSeen
        ? {
            envs: spec.brokerProperties ?? {},
            mounts: [],
            devices: [{ containerPath: "/dev/cam", hostPath: "/dev/video3", permissions: "rw" }],
          }
        : undefined,
    cdi: { write: (file, text) => files.set(file, text), remove: (file) => files.delete(file) },
    kubeletDirectory: "/none",
  });

const usage = async () =>
  (await cluster.client.get<Instance>({ ...instances, namespace, name })).spec.deviceUsage ?? {};

test("a claim's device takes a slot and is described to containers, until it is taken back", async () => {
  await make(2);
  await cluster.informer(instances).synced();
  const driver = driverOf();
  const one = await claim("one", "slot-1");
  const { devices } = await driver.prepare(one);
  assert.deepEqual(devices[0]?.cdi_device_ids, [`akri.sh/claim=${one.uid}-slot-1`]);
  assert.deepEqual(await usage(), { [`${name}-0`]: `C:dra.${one.uid}.slot-1:a` });
  await driver.prepare(one);
  assert.equal(Object.keys(await usage()).length, 1, "asked twice it takes one");
  const [text = ""] = files.values();
  const [{ containerEdits }] = JSON.parse(text).devices;
  assert.deepEqual(containerEdits.env, ["PLACE=gate"]);
  assert.deepEqual(containerEdits.deviceNodes[0], {
    path: "/dev/cam",
    hostPath: "/dev/video3",
    permissions: "rw",
  });
  await cluster.until(instances, (all) => Object.keys(all[0]?.spec.deviceUsage ?? {}).length === 1);
  await driver.unprepare(one);
  assert.deepEqual([await usage(), files.size], [{}, 0]);
});

test("the kubelet is told of what claims hold whether it is seen, and of nothing else", async () => {
  const made = await make(2);
  const health = (is: Partial<Instance>, allocation: object | undefined) =>
    healthOf({ node: "a", known: () => [{ ...made, ...is }], allocationOf: () => allocation });
  assert.deepEqual(health({}, {}), []);
  const deviceUsage = { "x-0": "C:dra.uid-1.slot-1:a", "x-1": "C:dra.uid-2.slot-0:b", "x-2": "a" };
  const spec = { ...made.spec, deviceUsage };
  const device = { pool_name: `${namespace}/${name}`, device_name: "slot-1" };
  assert.deepEqual(health({ spec }, {}), [{ device, health: "HEALTHY", message: "" }]);
  const message = "a does not see it";
  const ill = [{ device, health: "UNHEALTHY", message }];
  assert.deepEqual(health({ spec }, undefined), ill);
  const away = { name: "a", reason: "Away", message };
  assert.deepEqual(health({ spec, status: { nodes: [away] } } as object, {}), ill);
});

test("a claim that finds all slots held, or its device away, is told so and gets nothing", async () => {
  await make(1);
  await driverOf().prepare(await claim("one", "slot-0"));
  await assert.rejects(
    driverOf().prepare(await claim("two", "slot-0")),
    /all slots of .* are held/,
  );
  await assert.rejects(driverOf(false).prepare(await claim("three", "slot-0")), /a does not see/);
  assert.equal(Object.keys(await usage()).length, 1);
});

test("a claim that was made anew is not the one that was allocated", async () => {
  await make(1);
  const one = await claim("one", "slot-0");
  await assert.rejects(driverOf().prepare({ ...one, uid: "other" }), /made anew/);
});
