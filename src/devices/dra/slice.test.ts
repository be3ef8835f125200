import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../kinds/instance.ts";
import { sliceOf } from "./slice.ts";

const camera = (more: Partial<Instance["spec"]> = {}): Instance => ({
  apiVersion: "akri.sh/v0",
  kind: "Instance",
  metadata: { name: "cam-8120fe", namespace: "line", uid: "u" } as Instance["metadata"],
  spec: {
    configurationName: "cam",
    cdiName: "akri.sh/cam=8120fe",
    capacity: 3,
    nodes: ["a"],
    brokerProperties: { GPU_MODEL: "H200", GPU_MEMORY_BYTES: "1024", "odd name": "x" },
    ...more,
  },
});

const devices = (instance: Instance, ...allocated: string[]) =>
  sliceOf(instance, new Set(allocated))!["spec"].devices.map(({ name }: any) => name);

test("an Instance is a pool whose devices are its slots, with its properties to choose by", () => {
  const { spec } = sliceOf(camera(), new Set()) as any;
  assert.deepEqual(spec.pool, { name: "line/cam-8120fe", generation: 1, resourceSliceCount: 1 });
  assert.equal(spec.nodeName, "a");
  assert.equal(spec.devices.length, 3);
  const [{ attributes, capacity }] = spec.devices;
  assert.deepEqual(attributes.GPU_MODEL, { string: "H200" });
  assert.deepEqual(attributes.configuration, { string: "cam" });
  assert.equal(attributes["odd name"], undefined);
  assert.deepEqual(capacity, { memory: { value: "1024" } });
});

test("slots that others hold are not offered, and what claims have stays", () => {
  const deviceUsage = { "cam-8120fe-0": "a", "cam-8120fe-1": "C:dra.uid.slot-2:a" };
  assert.deepEqual(devices(camera({ deviceUsage }), "slot-2"), ["slot-0", "slot-2"]);
  const full = { ...deviceUsage, "cam-8120fe-2": "C:cam-0:a" };
  assert.deepEqual(devices(camera({ deviceUsage: full }), "slot-2"), ["slot-2"]);
});

test("a device that several nodes reach is offered on all of them, one that none reaches on none", () => {
  const { spec } = sliceOf(camera({ nodes: ["b", "a"] }), new Set()) as any;
  const [term] = spec.nodeSelector.nodeSelectorTerms;
  assert.deepEqual(term.matchExpressions[0].values, ["a", "b"]);
  assert.equal(sliceOf(camera({ nodes: [] }), new Set()), undefined);
});
