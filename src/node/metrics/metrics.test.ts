import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { FakeRuntime } from "../fake-runtime.ts";
import { AgentMetrics } from "./agent-metrics.ts";
import { measuredRuntime } from "./measured-runtime.ts";

test("what is asked of the runtime is counted, and what it refuses", async () => {
  const metrics = new AgentMetrics();
  const clock = new FakeClock();
  const runtime = measuredRuntime(new FakeRuntime({ clock }), { metrics, clock });
  await runtime.listImages();
  await assert.rejects(runtime.startContainer("nobody"));
  const text = await metrics.work.metrics();
  assert.match(text, /^kubelet_runtime_operations_total\{operation_type="list_images"\} 1$/m);
  assert.match(
    text,
    /^kubelet_runtime_operations_errors_total\{operation_type="start_container"\} 1$/m,
  );
  assert.doesNotMatch(text, /errors_total\{operation_type="list_images"/);
  assert.match(text, /duration_seconds_bucket\{le="0.005",operation_type="list_images"\} 1/);
});

test("probes are counted while their container is there", async () => {
  const metrics = new AgentMetrics();
  const of = { container: "web", pod: "p", namespace: "shop", pod_uid: "u" };
  metrics.probed({ ...of, probe_type: "Liveness" }, "failed");
  const row = /^prober_probe_total\{.*container="web".*\} 1$/m;
  assert.match(await metrics.probes.metrics(), row);
  metrics.forgetProbes(of);
  assert.doesNotMatch(await metrics.probes.metrics(), row);
});
