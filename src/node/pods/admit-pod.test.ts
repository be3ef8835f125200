import assert from "node:assert/strict";
import { test } from "node:test";
import { isNew, refusalOf } from "./admit-pod.ts";
import type { Pod } from "./pod.ts";

const node = {
  name: "edge",
  labels: { disk: "ssd" },
  allocatable: { cpu: "2", memory: "1Gi", pods: "3" },
};

const pod = (requests: object, spec: object = {}, status: object = {}) =>
  ({
    metadata: { name: "p", uid: "u" },
    spec: { containers: [{ name: "c", image: "i", resources: { requests } }], ...spec },
    status,
  }) as unknown as Pod;

const port = (hostIP?: string) =>
  pod({}, { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80, hostIP }] }] });

const affinity = (values: string[]) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values }] }],
    },
  },
});

test("a pod that does not fit is refused by what is short", () => {
  const small = pod({ cpu: "500m" });
  const short = "Pod was rejected: Node didn't have enough resource: ";
  const elsewhere =
    "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
  const taken =
    "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  const rows: [string, Pod, Pod[], string[] | undefined][] = [
    ["fits", small, [small, small], undefined],
    [
      "cpu",
      pod({ cpu: "1600m" }),
      [small],
      ["OutOfcpu", `${short}cpu, requested: 1600, used: 500, capacity: 2000`],
    ],
    [
      "memory",
      pod({ memory: "2Gi" }),
      [],
      ["OutOfmemory", `${short}memory, requested: 2147483648, used: 0, capacity: 1073741824`],
    ],
    [
      "pods",
      pod({}),
      [small, small, small],
      ["OutOfpods", `${short}pods, requested: 1, used: 3, capacity: 3`],
    ],
    ["what the node does not count", pod({ "example.com/thing": "1" }), [], undefined],
    ["its labels", pod({}, { nodeSelector: { disk: "ssd" } }), [], undefined],
    ["other labels", pod({}, { nodeSelector: { disk: "hdd" } }), [], ["NodeAffinity", elsewhere]],
    ["its name", pod({}, { affinity: affinity(["edge"]) }), [], undefined],
    ["a port that is taken", port(), [port()], ["NodePorts", taken]],
    ["a port on another address", port("10.0.0.1"), [port("10.0.0.2")], undefined],
    ["other name", pod({}, { affinity: affinity(["far"]) }), [], ["NodeAffinity", elsewhere]],
  ];
  for (const [title, one, others, expected] of rows) {
    const refusal = refusalOf(one, others, node);
    assert.deepEqual(refusal && [refusal.reason, refusal.message], expected, title);
  }
});

test("only a pod that nobody began is looked at", () => {
  assert.equal(isNew(pod({})), true);
  assert.equal(isNew(pod({}, {}, { phase: "Pending", startTime: "2026-01-01T00:00:00Z" })), false);
  assert.equal(isNew(pod({}, {}, { phase: "Failed" })), false);
});
