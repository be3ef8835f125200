import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { isStatus } from "../lib/status-error.ts";
import { objectReader } from "../server/admission/object-reader.ts";
import { resourceQuota } from "../server/admission/resource-quota.ts";
import { resourceQuotaController, waitMs } from "./resource-quota.ts";

const quotas = resource("v1", "resourcequotas");
const pods = resource("v1", "pods");
const place = { namespace: "default" };

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startControlled([resourceQuotaController()], {
    admission: (parts) => [resourceQuota({ ...parts, reader: objectReader(parts.store) })],
  });
});
afterEach(() => cluster.scope.close());

async function makeQuota(hard: Record<string, string>, more: object = {}) {
  const draft = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "limit" } };
  await cluster.client.create({ ...quotas, ...place }, { ...draft, spec: { hard, ...more } });
  await usedIs(Object.fromEntries(Object.keys(hard).map((name) => [name, "0"])));
}

const usedIs = (used: Record<string, string>) =>
  cluster.until(quotas, ([quota]) => {
    const now = quota?.status?.used;
    return now && Object.entries(used).every(([name, amount]) => now[name] === amount);
  });

function createPod(name: string, resources?: object) {
  const container = { name: "main", image: "app", ...(resources && { resources }) };
  const draft = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [container] },
  };
  return cluster.client.create({ ...pods, ...place }, draft);
}

test("no more pods are created than the quota allows, however many ask at once", async () => {
  await makeQuota({ pods: "5" });
  const asked = Array.from({ length: 20 }, (_, i) =>
    createPod(`p-${i}`).then(
      () => true,
      () => false,
    ),
  );
  assert.equal((await Promise.all(asked)).filter(Boolean).length, 5);
  await usedIs({ pods: "5" });
});

test("a refusal says what was asked, used and allowed", async () => {
  await makeQuota({ "requests.cpu": "1", pods: "10" });
  await createPod("half", { requests: { cpu: "600m" } });
  await assert.rejects(createPod("more", { requests: { cpu: "500m" } }), (error) => {
    assert.ok(isStatus(error, "Forbidden"));
    assert.equal(
      error.message,
      'pods "more" is forbidden: exceeded quota: limit, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1',
    );
    return true;
  });
});

test("a pod that does not say what is limited is refused", async () => {
  await makeQuota({ "limits.memory": "1Gi" });
  await assert.rejects(createPod("silent"), /must specify limits.memory for: main/);
});

test("what a deleted or finished pod took is free again", async () => {
  await makeQuota({ pods: "2" });
  await createPod("a");
  await createPod("b");
  await usedIs({ pods: "2" });
  await cluster.client.delete({ ...pods, ...place, name: "a" }, { gracePeriodSeconds: 0 });
  await usedIs({ pods: "1" });
  const status = { phase: "Succeeded" };
  await cluster.client.patch({ ...pods, ...place, name: "b", subresource: "status" }, "merge", {
    status,
  });
  await usedIs({ pods: "0" });
});

test("objects of any kind are counted", async () => {
  await makeQuota({ "count/configmaps": "1" });
  const make = (name: string) =>
    cluster.client.create(
      { ...resource("v1", "configmaps"), ...place },
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name } },
    );
  await make("one");
  await assert.rejects(make("two"), /exceeded quota: limit, requested: count\/configmaps=1/);
});

test("a quota that is being charged is counted when it is left alone, or has been busy too long", () => {
  const hard = { pods: "1" };
  const quota: any = { metadata: {}, spec: { hard }, status: { hard } };
  const seen = { resourceVersion: "7", atMs: 1000, busySinceMs: 0 };
  assert.equal(waitMs(quota, seen, 1100), 400);
  assert.equal(waitMs(quota, seen, 1600), 0);
  assert.equal(waitMs(quota, { ...seen, atMs: 10_000 }, 10_100), 0);
  assert.equal(waitMs({ ...quota, status: undefined }, seen, 1100), 0);
});
