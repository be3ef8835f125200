import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { startKubelet } from "../../test/support/kubelet.ts";
import { resource } from "../client/client.ts";
import { isStatus } from "../lib/status-error.ts";
import { deploymentController } from "./deployment.ts";
import { disruptionController } from "./disruption.ts";
import { planDisruption } from "./disruption/plan.ts";
import { replicaSetController } from "./replica-set.ts";

const budgets = resource("policy/v1", "poddisruptionbudgets");
const deployments = resource("apps/v1", "deployments");
const pods = resource("v1", "pods");
const place = { namespace: "default" };

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startControlled([
    deploymentController,
    disruptionController,
    replicaSetController,
  ]);
  startKubelet(cluster, { lingers: () => true });
});
afterEach(() => cluster.scope.close());

async function protect(spec: object) {
  const labels = { app: "web" };
  await cluster.client.create(
    { ...deployments, ...place },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 4,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "main", image: "app" }] } },
      },
    },
  );
  await cluster.client.create(
    { ...budgets, ...place },
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web" },
      spec: { selector: { matchLabels: labels }, ...spec },
    },
  );
}

const statusIs = (wanted: object) =>
  cluster.until(budgets, ([budget]) => {
    const status = budget?.status ?? {};
    return Object.entries(wanted).every(([name, value]) => status[name] === value) && status;
  });

const evict = (name: string) =>
  cluster.client.create(
    { ...pods, ...place, name, subresource: "eviction" },
    { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, ...place } },
  );

test("a budget counts what its pods' controller wants, and what is healthy of it", async () => {
  await protect({ maxUnavailable: 1 });
  const status = await statusIs({
    disruptionsAllowed: 1,
    currentHealthy: 4,
    desiredHealthy: 3,
    expectedPods: 4,
  });
  assert.equal(status.conditions[0].reason, "SufficientPods");
});

test("no more pods are evicted at once than the budget allows", async () => {
  await protect({ minAvailable: "50%" });
  await statusIs({ disruptionsAllowed: 2, currentHealthy: 4, desiredHealthy: 2 });
  const all = (await cluster.client.list({ ...pods, ...place })).items;
  const evictions = all.map(({ metadata }) => evict(metadata.name));
  const outcomes = await Promise.allSettled(evictions);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 2);
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    assert.ok(isStatus(outcome.reason, "TooManyRequests"));
    assert.equal(outcome.reason.details?.causes?.[0]?.reason, "DisruptionBudget");
  }
});

test("an eviction that was granted and never seen is given back", () => {
  const pod = (name: string): any => ({
    metadata: { name },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
  const budget: any = {
    metadata: { generation: 1 },
    spec: { minAvailable: 1 },
    status: { disruptedPods: { a: "1970-01-01T00:00:00Z" } },
  };
  const seen = { budget, pods: [pod("a"), pod("b")], wanted: undefined, now: "" };
  const early = planDisruption({ ...seen, nowMs: 60_000 });
  assert.equal(early.disruptionsAllowed, 0);
  assert.deepEqual(early.disruptedPods, { a: "1970-01-01T00:00:00Z" });
  const late = planDisruption({ ...seen, nowMs: 121_000 });
  assert.equal(late.disruptionsAllowed, 1);
  assert.equal(late.disruptedPods, undefined);
});

test("pods of no known controller cannot be counted in shares", () => {
  const budget: any = { metadata: {}, spec: { maxUnavailable: "10%" } };
  const status = planDisruption({ budget, pods: [], wanted: undefined, nowMs: 0, now: "" });
  assert.equal(status.conditions[0].reason, "SyncFailed");
  assert.equal(status.disruptionsAllowed, 0);
});
