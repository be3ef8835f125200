import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "../pods/pod.ts";
import { qosClassOf } from "../../lib/qos-class.ts";
import { cgroupParent, cpuQuota, cpuShares, resourcesOf } from "./resources.ts";

const pod = (resources: object): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "p",
    namespace: "default",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "",
  },
  spec: { containers: [{ name: "c", image: "i", resources }] },
});

test("milli-CPU becomes shares and quota within the kernel's limits", () => {
  assert.deepEqual([0, 1, 100, 1000, 1e9].map(cpuShares), [2, 2, 102, 1024, 262_144]);
  assert.deepEqual([1, 10, 200, 1500].map(cpuQuota), [1000, 1000, 20_000, 150_000]);
});

const both = (requests: object, limits: object) => ({ requests, limits });
const full = { cpu: "1", memory: "1Gi" };

const classes: [string, object, string][] = [
  ["BestEffort", {}, "/kerb/besteffort/podu"],
  ["Burstable", { requests: { cpu: "1" } }, "/kerb/burstable/podu"],
  ["Burstable", both({ cpu: "500m", memory: "1Gi" }, full), "/kerb/burstable/podu"],
  ["Guaranteed", both(full, { cpu: "1000m", memory: "1024Mi" }), "/kerb/podu"],
  ["Guaranteed", { limits: full }, "/kerb/podu"],
];

for (const [expected, resources, parent] of classes) {
  test(`${JSON.stringify(resources)} is ${expected}`, () => {
    assert.equal(qosClassOf(pod(resources).spec), expected);
    assert.equal(cgroupParent("kerb", pod(resources)), parent);
  });
}

test("a limit alone is the request too, and memory decides who dies first", () => {
  const of = pod({ limits: { cpu: "250m" }, requests: { memory: "1Gi" } });
  const resources = resourcesOf(of, of.spec.containers[0]!, 4 * 2 ** 30);
  assert.deepEqual(resources, {
    cpuShares: 256,
    cpuQuota: 25_000,
    cpuPeriod: 100_000,
    oomScoreAdj: 750,
  });
});
