import assert from "node:assert/strict";
import { test } from "node:test";
import {
  askedBy,
  resizeOf,
  sameAllocation,
  sizedAnnotation,
  withAllocation,
} from "./allocation.ts";
import { resizeRefusal } from "./verdict.ts";
import type { Instance } from "../pods/instances.ts";
import type { Container, Pod } from "../pods/pod.ts";

const lists = (cpu: string, memory = "64Mi") => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

const podOf = (resources: object, more: Partial<Container> = {}): Pod =>
  ({
    metadata: { name: "p", uid: "u" },
    spec: { containers: [{ name: "web", image: "web:1", resources, ...more }] },
  }) as unknown as Pod;

const made = (container: Container): Instance =>
  ({ id: "c1", state: "running", annotations: sizedAnnotation(container) }) as unknown as Instance;

test("what a pod was given differs only when amounts do, however they are written", () => {
  assert.ok(sameAllocation(askedBy(podOf(lists("1"))), askedBy(podOf(lists("1000m", "65536Ki")))));
  assert.ok(!sameAllocation(askedBy(podOf(lists("1"))), askedBy(podOf(lists("2")))));
});

test("until more is given, a pod is as large as it was", () => {
  const given = askedBy(podOf(lists("1")));
  const seen = withAllocation(podOf(lists("2")), given);
  assert.deepEqual(seen.spec.containers[0]!.resources, lists("1"));
});

test("a container is resized where it runs, unless its policy wants a restart for what changed", () => {
  const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" }];
  const before = podOf(lists("1"), { resizePolicy }).spec.containers[0]!;
  const instance = made(before);
  const to = (resources: object) => ({ ...before, resources }) as Container;
  assert.equal(resizeOf(before, instance, new Map()), undefined);
  assert.equal(resizeOf(to(lists("2")), instance, new Map()), "update");
  assert.equal(resizeOf(to(lists("1", "128Mi")), instance, new Map()), "restart");
  assert.equal(resizeOf(to(lists("2")), instance, new Map([["c1", lists("2")]])), undefined);
});

test("more than the node has is infeasible, more than others leave is deferred", () => {
  const allocatable = { cpu: "2", memory: "1Gi" };
  assert.equal(resizeRefusal(podOf(lists("1")), [podOf(lists("1"))], allocatable), undefined);
  assert.deepEqual(resizeRefusal(podOf(lists("3")), [], allocatable), {
    reason: "Infeasible",
    message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
  });
  assert.deepEqual(resizeRefusal(podOf(lists("1500m")), [podOf(lists("1"))], allocatable), {
    reason: "Deferred",
    message: "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
  });
});
