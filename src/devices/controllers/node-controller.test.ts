import assert from "node:assert/strict";
import { test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import { resource } from "../../client/client.ts";
import { startControllers } from "../../controllers/runtime.ts";
import { instances } from "../kinds/instance.ts";
import { deviceNodes } from "./node-controller.ts";

const nodes = resource("v1", "nodes");
const pods = resource("v1", "pods");

test("a node that is not heard of leaves its devices, and its slots are free once its pods are gone", async () => {
  const cluster = await startDeviceCluster();
  const { client } = cluster;
  for (const [name, status] of [
    ["a", "True"],
    ["b", "True"],
    ["c", "False"],
  ] as const) {
    await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
    const conditions = [{ type: "Ready", status, reason: "x", message: "" }];
    const target = { ...nodes, name, subresource: "status" };
    await client.patch(target, "merge", { status: { conditions } });
  }
  await startControllers([deviceNodes], { ...cluster, discover: async () => [] });
  const deviceUsage = { "cam-1-0": "b", "cam-1-1": "C:cam-0:b", "cam-1-2": "a", "cam-1-3": "c" };
  await client.create(
    { ...instances, namespace: "default" },
    {
      apiVersion: "akri.sh/v0",
      kind: "Instance",
      metadata: { name: "cam-1" },
      spec: {
        configurationName: "cam",
        cdiName: "akri.sh/cam=1",
        capacity: 4,
        shared: true,
        nodes: ["a", "b", "c", "d"],
        deviceUsage,
      },
    },
  );
  await client.create(
    { ...pods, namespace: "default" },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "reader" },
      spec: {
        nodeName: "b",
        containers: [{ name: "a", image: "b", resources: { limits: { "akri.sh/cam": "1" } } }],
      },
    },
  );
  const nodesAre = (wanted: string) =>
    cluster.until(instances, (all) => all[0]?.spec.nodes.join() === wanted && all[0]);
  // There never was a node d.
  await nodesAre("a,b,c");
  const conditions = [{ type: "Ready", status: "Unknown", reason: "x", message: "" }];
  const target = { ...nodes, name: "b", subresource: "status" };
  await client.patch(target, "merge", { status: { conditions } });
  const left = await nodesAre("a,c");
  assert.deepEqual(left.spec.deviceUsage, deviceUsage, "its pod may still run");
  await client.delete({ ...pods, namespace: "default", name: "reader" }, { gracePeriodSeconds: 0 });
  const freed = { "cam-1-2": "a", "cam-1-3": "c" };
  await cluster.until(
    instances,
    (all) => JSON.stringify(all[0]?.spec.deviceUsage) === JSON.stringify(freed),
  );
  await cluster.scope.close();
});
