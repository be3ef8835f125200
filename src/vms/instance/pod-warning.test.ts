import assert from "node:assert/strict";
import { test } from "node:test";
import { isStuck, lastWarning } from "./pod-warning.ts";

const now = Date.parse("2026-01-01T00:01:00Z");
const pod = (more: { node?: string; phase?: string; made?: string }): any => ({
  metadata: { name: "launcher", creationTimestamp: more.made ?? "2026-01-01T00:00:00Z" },
  spec: { nodeName: more.node ?? "box" },
  status: { phase: more.phase ?? "Pending" },
});

test("a pod that has its node and does not come up is asked why", () => {
  assert.ok(isStuck(pod({}), now));
  assert.ok(!isStuck(pod({ phase: "Running" }), now));
  assert.ok(!isStuck(pod({ node: "" }), now), "that is the scheduler's to say");
  assert.ok(!isStuck(pod({ made: "2026-01-01T00:00:58Z" }), now), "it has just begun");
});

test("the last word about its volumes is why", () => {
  const said = (reason: string, message: string, lastTimestamp: string, type = "Warning"): any => ({
    ...{ type, reason, message, lastTimestamp, metadata: {} },
  });
  const all = [
    said("FailedMount", "old", "2026-01-01T00:00:01Z"),
    said("FailedMount", "secret none not found", "2026-01-01T00:00:09Z"),
    said("Unhealthy", "no answer", "2026-01-01T00:00:10Z"),
    said("Pulled", "there", "2026-01-01T00:00:11Z", "Normal"),
  ];
  assert.deepEqual(lastWarning(all), { reason: "FailedMount", message: "secret none not found" });
  assert.equal(lastWarning(all.slice(2)), undefined);
});
