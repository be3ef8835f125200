import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { deviceTaintEviction, leftMs } from "./device-taint-eviction.ts";
import { resourceClaims } from "./resource-claim.ts";

const namespace = "default";
const pods = { ...resource("v1", "pods"), namespace };
const claims = { ...resourceClaims, namespace };
const slices = resource("resource.k8s.io/v1", "resourceslices");
const version = "resource.k8s.io/v1";
const driver = "d.example.com";
const dead = { key: "dead", effect: "NoExecute" };

test("a taint counts from when it was seen, as long as it is tolerated", () => {
  const until = (tolerationSeconds?: number) => [
    { key: "dead", operator: "Exists", ...(tolerationSeconds && { tolerationSeconds }) },
  ];
  const rows: [when: string, befallen: Parameters<typeof leftMs>[0], left: number | undefined][] = [
    ["nothing befell it", [], undefined],
    ["nothing tolerates it", [{ taint: dead, tolerations: undefined, ms: 0 }], 0],
    ["for ever", [{ taint: dead, tolerations: until(), ms: 9 }], undefined],
    ["for a while", [{ taint: dead, tolerations: until(60), ms: 20_000 }], 40_000],
    [
      "no new pod",
      [{ taint: { ...dead, effect: "NoSchedule" }, tolerations: [], ms: 0 }],
      undefined,
    ],
  ];
  for (const [when, befallen, left] of rows) assert.equal(leftMs(befallen), left, when);
});

test("pods leave a device that a taint befell, and those that tolerate it stay", async (t) => {
  const cluster = await startControlled([deviceTaintEviction]);
  t.after(() => cluster.scope.close());
  const { client, until } = cluster;
  const tolerations = [{ key: "dead", operator: "Exists" }];
  for (const [name, more] of Object.entries({ leaves: {}, stays: { tolerations } })) {
    const { metadata } = await client.create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { containers: [{ name: "main", image: "app" }] },
    });
    const requests = [{ name: "r", exactly: { deviceClassName: driver } }];
    const spec = { devices: { requests } };
    await client.create(claims, {
      apiVersion: version,
      kind: "ResourceClaim",
      metadata: { name },
      spec,
    });
    const results = [{ request: "r", driver, pool: "a", device: "nic", ...more }];
    const consumer = { resource: "pods", name, uid: metadata.uid };
    await client.patch({ ...claims, name, subresource: "status" }, "merge", {
      status: { allocation: { devices: { results } }, reservedFor: [consumer] },
    });
  }
  const pool = { name: "a", generation: 1, resourceSliceCount: 1 };
  await client.create(slices, {
    apiVersion: version,
    kind: "ResourceSlice",
    metadata: { name: "a" },
    spec: { driver, allNodes: true, pool, devices: [{ name: "nic" }] },
  });
  await client.patch({ ...slices, name: "a" }, "merge", {
    spec: { devices: [{ name: "nic", taints: [dead] }] },
  });
  await until(pods, (all) => all.length === 1 && all[0]?.metadata.name === "stays");
});
