import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../object.ts";
import { resizeErrors } from "./resize-validation.ts";

const pod = (resources: object, more: object = {}) =>
  ({
    metadata: { name: "p" },
    spec: { containers: [{ name: "web", image: "web:1", resources }], ...more },
  }) as unknown as KubeObject;

const limits = (cpu: string, more: object = {}) => ({
  requests: { cpu: "100m", memory: "32Mi" },
  limits: { cpu, memory: "64Mi", ...more },
});

const messages = (now: object, before: object) =>
  resizeErrors(pod(now), pod(before)).map(({ field, message }) => `${field}: ${message}`);

test("a running pod's cpu and memory may change within its class of service", () => {
  assert.deepEqual(messages(limits("300m"), limits("200m")), []);
  assert.match(
    messages({ ...limits("100m"), limits: limits("100m").requests }, limits("200m"))[0]!,
    /QOS/,
  );
});

test("a limit may not go, and nothing but cpu and memory may change", () => {
  const { requests } = limits("1");
  assert.match(messages({ requests }, limits("200m"))[0]!, /limits cannot be removed/);
  const devices = limits("200m", { "example.com/device": "1" });
  assert.match(messages(devices, limits("200m"))[0]!, /only cpu and memory/);
});

test("an init container that runs once keeps its size, and so does a static pod", () => {
  const init = (resources: object) =>
    pod(limits("1"), { initContainers: [{ name: "init", image: "i", resources }] });
  const [error] = resizeErrors(init(limits("2")), init(limits("1")));
  assert.match(String(error?.message), /non-sidecar init containers/);
  const mirror = pod(limits("1"));
  mirror.metadata.annotations = { "kubernetes.io/config.mirror": "x" };
  assert.match(String(resizeErrors(mirror, mirror)[0]?.message), /static pods/);
});

test("a resize names the containers that are there, in their order", () => {
  const before = pod(limits("1"));
  const more = pod(limits("1"), { initContainers: [{ name: "init", image: "i" }] });
  assert.match(String(resizeErrors(more, before)[0]?.message), /may not be added or removed/);
  const renamed = structuredClone(before);
  renamed.spec.containers[0].name = "other";
  const [error] = resizeErrors(renamed, before);
  assert.equal(error?.field, "spec.containers[0].name");
  const windows = pod(limits("1"), { os: { name: "windows" } });
  assert.match(String(resizeErrors(windows, windows)[0]?.message), /windows pods/);
});
