import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { deletionOptions } from "./deletion-options.ts";
import { markDeleted } from "./deletion.ts";
import { testKind } from "./test-kinds.ts";

const pods = testKind("", "v1", "Pod");
const jobs = testKind("batch", "v1", "Job");
const namespaces = testKind("", "v1", "Namespace", { namespaced: false });
const now = "2026-01-01T00:00:00Z";

const object = (fields: object = {}, metadata: object = {}) =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", ...metadata },
    ...fields,
  }) as KubeObject;

const options = (body: object = {}) => deletionOptions(body, new URLSearchParams());

test("an object that nothing holds goes at once", () => {
  assert.equal(markDeleted(pods, object(), options(), now), "gone");
});

test("a running pod is given its grace", () => {
  const pod = object({ spec: { nodeName: "n", terminationGracePeriodSeconds: 10 } });
  assert.equal(markDeleted(pods, pod, options(), now), "marked");
  assert.equal(pod.metadata.deletionTimestamp, "2026-01-01T00:00:10Z");
  assert.equal(pod.metadata.deletionGracePeriodSeconds, 10);
});

test("a second delete can only shorten the grace", () => {
  const pod = object({ spec: { nodeName: "n", terminationGracePeriodSeconds: 10 } });
  markDeleted(pods, pod, options(), now);
  assert.equal(markDeleted(pods, pod, options({ gracePeriodSeconds: 20 }), now), "unchanged");
  assert.equal(markDeleted(pods, pod, options(), now), "unchanged");
  assert.equal(markDeleted(pods, pod, options({ gracePeriodSeconds: 2 }), now), "marked");
  assert.equal(pod.metadata.deletionTimestamp, "2026-01-01T00:00:02Z");
  assert.equal(markDeleted(pods, pod, options({ gracePeriodSeconds: 0 }), now), "gone");
});

test("pods that run nowhere, or no longer, go at once", () => {
  assert.equal(markDeleted(pods, object({ spec: {} }), options(), now), "gone");
  const finished = object({ spec: { nodeName: "n" }, status: { phase: "Failed" } });
  assert.equal(markDeleted(pods, finished, options(), now), "gone");
});

test("a finalizer holds the object", () => {
  const held = object({}, { finalizers: ["example.com/x"] });
  assert.equal(
    markDeleted(jobs, held, options({ propagationPolicy: "Background" }), now),
    "marked",
  );
  assert.equal(held.metadata.deletionGracePeriodSeconds, 0);
});

test("the propagation policy decides which finalizer the garbage collector finds", () => {
  for (const [policy, finalizers] of [
    ["Orphan", ["orphan"]],
    ["Foreground", ["foregroundDeletion"]],
    [undefined, ["orphan"]],
  ] as const) {
    const job = object();
    markDeleted(jobs, job, options(policy ? { propagationPolicy: policy } : {}), now);
    assert.deepEqual(job.metadata.finalizers, finalizers, policy ?? "by default");
  }
  const job = object({}, { finalizers: ["orphan"] });
  assert.equal(markDeleted(jobs, job, options({ propagationPolicy: "Background" }), now), "gone");
});

test("a namespace waits for the finalizers in its spec", () => {
  const namespace = { ...object({ spec: { finalizers: ["kubernetes"] } }), kind: "Namespace" };
  assert.equal(markDeleted(namespaces, namespace, options(), now), "marked");
  assert.equal(namespace.status.phase, "Terminating");
});
