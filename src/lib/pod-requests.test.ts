import assert from "node:assert/strict";
import { test } from "node:test";
import { amountOf, podRequests, type RequestingPodSpec } from "./pod-requests.ts";

test("amounts are whole milli-CPU and bytes, rounded up and never by a binary fraction", () => {
  const table: [string, string | number, number][] = [
    ["cpu", "70m", 70],
    ["cpu", "1.1", 1100],
    ["cpu", "100u", 1],
    ["cpu", 2, 2000],
    ["memory", "1Gi", 2 ** 30],
    ["memory", "1.5", 2],
    ["example.com/gpu", "3", 3],
  ];
  for (const [resource, quantity, amount] of table) {
    assert.equal(amountOf(resource, quantity), amount, `${resource} ${quantity}`);
  }
});

const asks = (cpu: string, restartPolicy?: string) => ({
  resources: { requests: { cpu } },
  ...(restartPolicy && { restartPolicy }),
});

test("a pod asks for the most that any moment of its life needs", () => {
  const table: [string, RequestingPodSpec, number][] = [
    ["containers together", { containers: [asks("1"), asks("2")] }, 3000],
    ["a larger init container", { containers: [asks("1")], initContainers: [asks("2")] }, 2000],
    [
      "sidecars run on",
      { containers: [asks("1")], initContainers: [asks("1", "Always"), asks("500m")] },
      2000,
    ],
    [
      "sidecars run beside later init containers",
      { containers: [asks("1")], initContainers: [asks("1", "Always"), asks("3")] },
      4000,
    ],
    [
      "pod-level resources decide, overhead is added",
      {
        containers: [asks("1")],
        resources: { requests: { cpu: "5" } },
        overhead: { cpu: "250m" },
      },
      5250,
    ],
  ];
  for (const [when, spec, cpu] of table) assert.equal(podRequests(spec).get("cpu"), cpu, when);
});
