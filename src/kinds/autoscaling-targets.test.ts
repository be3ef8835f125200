import assert from "node:assert/strict";
import { test } from "node:test";
import { autoscalingTargets } from "./autoscaling-targets.ts";

const resource = (name: string, target: object) => ({
  type: "Resource",
  resource: { name, target },
});
const is = (name: string, current: object) => ({ type: "Resource", resource: { name, current } });
const external = {
  type: "External",
  external: { metric: { name: "q" }, target: { averageValue: "10" } },
};
const show = (metrics: object[], currentMetrics: object[] = []) =>
  autoscalingTargets({ spec: { metrics }, status: { currentMetrics } } as never);

test("targets are shown beside what is, two of them at most", () => {
  const cpu = resource("cpu", { averageUtilization: 50 });
  assert.equal(show([]), "<none>");
  assert.equal(show([cpu]), "cpu: <unknown>/50%");
  assert.equal(show([cpu], [is("cpu", { averageUtilization: 61 })]), "cpu: 61%/50%");
  const memory = resource("memory", { averageValue: "1Gi" });
  const known = [is("memory", { averageValue: "2Mi" })];
  assert.equal(
    show([memory, external, cpu], known),
    "memory: 2Mi/1Gi, <unknown>/10 (avg) + 1 more...",
  );
});
