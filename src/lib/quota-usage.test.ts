import assert from "node:assert/strict";
import { test } from "node:test";
import { countedResource, printAmount, scopesMatch, usageOf } from "./quota-usage.ts";

const pod = (spec: object, more: object = {}) => ({ metadata: { name: "p" }, spec, ...more });
const busy = pod({
  containers: [
    {
      resources: {
        requests: { cpu: "500m", memory: "1Gi", "example.com/gpu": "2" },
        limits: { cpu: "1" },
      },
    },
    { resources: { requests: { cpu: "250m" } } },
  ],
});

test("a pod counts for itself, its requests and its limits", () => {
  assert.deepEqual(usageOf("pods", busy, 0), {
    "count/pods": 1,
    pods: 1,
    cpu: 0.75,
    "requests.cpu": 0.75,
    memory: 2 ** 30,
    "requests.memory": 2 ** 30,
    "requests.example.com/gpu": 2,
    "limits.cpu": 1,
  });
});

test("a pod that is over counts as an object only", () => {
  const over = pod(busy.spec, { status: { phase: "Succeeded" } });
  assert.deepEqual(usageOf("pods", over, 0), { "count/pods": 1 });
  const late = {
    ...busy,
    metadata: { deletionTimestamp: "1970-01-01T00:00:10Z", deletionGracePeriodSeconds: 5 },
  };
  assert.equal(usageOf("pods", late, 14_000)["pods"], 1);
  assert.equal(usageOf("pods", late, 16_000)["pods"], undefined);
});

test("services count their node ports, claims their storage by class, others themselves", () => {
  const service = { spec: { type: "NodePort", ports: [{}, {}] } };
  assert.equal(usageOf("services", service, 0)["services.nodeports"], 2);
  const claim = {
    metadata: {},
    spec: { storageClassName: "gold", resources: { requests: { storage: "2Gi" } } },
  };
  const usage = usageOf("persistentvolumeclaims", claim, 0);
  assert.equal(usage["requests.storage"], 2 * 2 ** 30);
  assert.equal(usage["gold.storageclass.storage.k8s.io/persistentvolumeclaims"], 1);
  assert.deepEqual(usageOf("deployments.apps", {}, 0), { "count/deployments.apps": 1 });
  assert.deepEqual(usageOf("secrets", {}, 0), { "count/secrets": 1, secrets: 1 });
});

test("every name of a quota leads to the resource it counts", () => {
  const table: Record<string, string> = {
    pods: "pods",
    "requests.cpu": "pods",
    memory: "pods",
    "requests.example.com/gpu": "pods",
    "requests.storage": "persistentvolumeclaims",
    "gold.storageclass.storage.k8s.io/requests.storage": "persistentvolumeclaims",
    "services.nodeports": "services",
    configmaps: "configmaps",
    "count/widgets.example.org": "widgets.example.org",
  };
  for (const [name, resource] of Object.entries(table))
    assert.equal(countedResource(name), resource);
});

test("scopes choose among pods", () => {
  const bestEffort = pod({ containers: [{}] });
  const short = pod({ containers: [{}], activeDeadlineSeconds: 5 });
  const important = pod({ containers: [{}], priorityClassName: "high" });
  const matches = (scopes: string[], one: object) => scopesMatch({ scopes }, "pods", one);
  assert.equal(matches(["BestEffort"], bestEffort), true);
  assert.equal(matches(["NotBestEffort"], bestEffort), false);
  assert.equal(matches(["NotBestEffort"], busy), true);
  assert.equal(matches(["Terminating"], short), true);
  assert.equal(matches(["NotTerminating", "BestEffort"], short), false);
  const scopeSelector = {
    matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
  };
  assert.equal(scopesMatch({ scopeSelector }, "pods", important), true);
  assert.equal(scopesMatch({ scopeSelector }, "pods", bestEffort), false);
  assert.equal(scopesMatch({ scopes: ["BestEffort"] }, "services", {}), false);
});

test("amounts are printed as people write them", () => {
  assert.equal(printAmount("requests.cpu", 0.75), "750m");
  assert.equal(printAmount("cpu", 2), "2");
  assert.equal(printAmount("limits.memory", 256 * 2 ** 20), "256Mi");
  assert.equal(printAmount("requests.storage", 1000), "1000");
  assert.equal(printAmount("pods", 5), "5");
});
