import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kinds.ts";
import type { KubeObject } from "../object.ts";

const kinds = builtinKinds();
const time = "2020-01-01T00:00:00Z";
const conditions = (...types: string[]) =>
  types.map((type) => ({ type, status: "True", lastTransitionTime: time, reason: "R" }));
const finished = { startTime: time, completionTime: time, succeeded: 1 };

for (const [group, plural, what, { spec = {}, status, before = {} }, wanted] of [
  [
    "apps",
    "deployments",
    "more ready than there are",
    { status: { replicas: 1, readyReplicas: 2 } },
    ["readyReplicas"],
  ],
  [
    "apps",
    "deployments",
    "fewer collisions than before",
    { status: { collisionCount: 1 }, before: { collisionCount: 2 } },
    ["collisionCount"],
  ],
  [
    "apps",
    "statefulsets",
    "counts that fit",
    { status: { replicas: 2, readyReplicas: 2, availableReplicas: 1 } },
    [],
  ],
  ["apps", "daemonsets", "a count below zero", { status: { numberReady: -1 } }, ["numberReady"]],
  [
    "batch",
    "jobs",
    "an end that was announced",
    { status: { ...finished, conditions: conditions("SuccessCriteriaMet", "Complete") } },
    [],
  ],
  [
    "batch",
    "jobs",
    "an end out of nothing",
    { status: { ...finished, conditions: conditions("Complete") } },
    ["conditions"],
  ],
  [
    "batch",
    "jobs",
    "an end that is taken back",
    { status: {}, before: { conditions: conditions("FailureTarget") } },
    ["conditions"],
  ],
  [
    "batch",
    "jobs",
    "pods that run after the end",
    { status: { startTime: time, active: 1, conditions: conditions("FailureTarget", "Failed") } },
    ["active"],
  ],
  [
    "batch",
    "jobs",
    "indexes in no order",
    { spec: { completionMode: "Indexed", completions: 9 }, status: { completedIndexes: "3,1-2" } },
    ["completedIndexes"],
  ],
  [
    "batch",
    "jobs",
    "indexes both done and failed",
    {
      spec: { completionMode: "Indexed", completions: 9, backoffLimitPerIndex: 1 },
      status: { completedIndexes: "0-3", failedIndexes: "3" },
    },
    ["failedIndexes"],
  ],
  [
    "",
    "pods",
    "addresses of a pod of both families",
    { status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] } },
    [],
  ],
  [
    "",
    "pods",
    "two addresses of one family",
    { status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] } },
    ["podIPs"],
  ],
  [
    "",
    "pods",
    "another class of service",
    { status: { qosClass: "Burstable" }, before: { qosClass: "BestEffort" } },
    ["qosClass"],
  ],
  [
    "",
    "pods",
    "a claim that it has not",
    { status: { resourceClaimStatuses: [{ name: "x" }] } },
    ["resourceClaimStatuses[0].name"],
  ],
  [
    "",
    "services",
    "an entry point of a service inside",
    { spec: { type: "ClusterIP" }, status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } },
    ["loadBalancer.ingress"],
  ],
  [
    "",
    "services",
    "a name that is an address",
    {
      spec: { type: "LoadBalancer" },
      status: { loadBalancer: { ingress: [{ hostname: "1.2.3.4" }] } },
    },
    ["loadBalancer.ingress[0].hostname"],
  ],
  [
    "",
    "namespaces",
    "an end that nobody asked for",
    { status: { phase: "Terminating" } },
    ["Phase"],
  ],
  ["", "resourcequotas", "half a pod", { status: { used: { pods: "500m" } } }, ["used[pods]"]],
  [
    "certificates.k8s.io",
    "certificatesigningrequests",
    "an approval that is not true",
    { status: { conditions: [{ type: "Approved", status: "False" }] } },
    ["conditions", "conditions[0].status"],
  ],
] as [string, string, string, { spec?: object; status: object; before?: object }, string[]][]) {
  test(`${plural}: ${what} ${wanted.length > 0 ? "is refused" : "is taken"}`, () => {
    const version = group === "autoscaling" ? "v2" : "v1";
    const kind = kinds.get(group, version, plural)!;
    const metadata = { name: "a", namespace: "default", uid: "u", resourceVersion: "1" };
    const of = (told: object) =>
      ({ apiVersion: "", kind: kind.kind, metadata, spec, status: told }) as unknown as KubeObject;
    const told = kind.validate!({ object: of(status), old: of(before), subresource: "status" });
    const fields = told.map(({ field }) => field).filter((field) => field.startsWith("status."));
    assert.deepEqual([...new Set(fields)].sort(), wanted.map((field) => `status.${field}`).sort());
  });
}
