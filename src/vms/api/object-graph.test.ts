import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceGraph, machineGraph, pruned } from "./object-graph.ts";
import type { GraphNode } from "./object-graph.ts";

const spec = {
  volumes: [
    { name: "root", dataVolume: { name: "root" } },
    { name: "data", persistentVolumeClaim: { claimName: "data" } },
    { name: "seed", cloudInitNoCloud: { secretRef: { name: "words" } } },
    { name: "image", containerDisk: { image: "x" } },
  ],
};
const metadata = { name: "till", namespace: "shop" };
const vm: any = {
  metadata,
  spec: {
    template: { spec },
    instancetype: { name: "small" },
    preference: { name: "linux", kind: "VirtualMachinePreference" },
  },
  status: { created: true, instancetypeRef: { controllerRevisionRef: { name: "till-small-1" } } },
};
const pod: any = { metadata: { name: "virt-launcher-till-x" } };

const told = ({ objectReference: { kind, name }, children = [] }: GraphNode): string =>
  `${kind} ${name}${children.length > 0 ? ` (${children.map(told).join(", ")})` : ""}`;

test("a machine's tree names all that it rests on", () => {
  const own = [
    "VirtualMachineInstance till (Pod virt-launcher-till-x)",
    "VirtualMachineClusterInstancetype small",
    "ControllerRevision till-small-1",
    "VirtualMachinePreference linux",
  ];
  const disks = [
    "DataVolume root (PersistentVolumeClaim root)",
    "PersistentVolumeClaim data",
    "Secret words",
  ];
  const all = `VirtualMachine till (${[...own, ...disks].join(", ")})`;
  assert.equal(told(machineGraph(vm, pod)), all);
  const instance = ["Pod virt-launcher-till-x", ...disks].join(", ");
  const graph = instanceGraph({ ...vm, spec }, pod);
  assert.equal(told(graph), `VirtualMachineInstance till (${instance})`);
});

test("branches are left out by their labels, or because they are optional", () => {
  const graph = machineGraph(vm, pod);
  const isStorage = (labels: Record<string, string>) =>
    labels["kubevirt.io/dependency-type"] === "storage";
  const storage = "DataVolume root (PersistentVolumeClaim root), PersistentVolumeClaim data";
  assert.equal(told(pruned(graph, isStorage)), `VirtualMachine till (${storage})`);
  assert.doesNotMatch(told(pruned(graph, () => true, false)), /ClusterInstancetype|Preference/);
});
