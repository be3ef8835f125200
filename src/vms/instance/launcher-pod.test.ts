import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { launcherPod } from "./launcher-pod.ts";

const metadata = {
  ...{ namespace: "default", name: "shop", uid: "0a", resourceVersion: "1", creationTimestamp: "" },
};
const podOf = (spec: any, bounds = {}) => {
  const vmi = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata, spec };
  return launcherPod(vmi as KubeObject, { isBlock: () => false, bounds }).spec as any;
};
const files = { name: "files", persistentVolumeClaim: { claimName: "files" } };
const words = { name: "words", configMap: { name: "words" } };

test("files that a guest shares are mounted beside QEMU and not by it", () => {
  const filesystems = [files, words].map(({ name }) => ({ name, virtiofs: {} }));
  const spec = podOf({ domain: { devices: { filesystems } }, volumes: [files, words] });
  assert.deepEqual(
    spec.initContainers.map(({ name, restartPolicy }: any) => [name, restartPolicy]),
    [
      ["virtiofs-files", "Always"],
      ["virtiofs-words", "Always"],
    ],
  );
  assert.deepEqual(spec.initContainers[1].volumeMounts[1], {
    ...{ name: "words", readOnly: true, mountPath: "/vm/share" },
  });
  assert.deepEqual(
    spec.containers[0].volumeMounts.map(({ name }: any) => name),
    ["vm-run"],
  );
});

test("a TPM ends with its pod, or is kept on a claim of its machine", () => {
  const stateOf = (tpm: object) => {
    const { volumes, initContainers } = podOf({ domain: { devices: { tpm } } });
    assert.equal(initContainers[0].name, "swtpm");
    return volumes.find(({ name }: any) => name === "vm-state");
  };
  assert.deepEqual(stateOf({}), { name: "vm-state", emptyDir: {} });
  assert.deepEqual(stateOf({ persistent: true }).persistentVolumeClaim, {
    claimName: "persistent-state-for-shop",
  });
});

test("variables of UEFI that persist are QEMU's to write", () => {
  const bootloader = { efi: { secureBoot: false, persistent: true } };
  const { containers, initContainers } = podOf({ domain: { firmware: { bootloader } } });
  assert.equal(initContainers, undefined);
  assert.deepEqual(containers[0].volumeMounts.at(-1), { name: "vm-state", mountPath: "/vm/state" });
});

test("probes of the guest's agent are commands that the node answers", () => {
  const readinessProbe = { exec: { command: ["cat", "/ready"] }, periodSeconds: 2 };
  const livenessProbe = { guestAgentPing: {}, failureThreshold: 5 };
  const { containers } = podOf({ domain: {}, readinessProbe, livenessProbe });
  assert.deepEqual(containers[0].readinessProbe, {
    ...{ exec: { command: ["virt-probe", "cat", "/ready"] }, periodSeconds: 2 },
  });
  assert.deepEqual(containers[0].livenessProbe, {
    ...{ exec: { command: ["virt-probe"] }, failureThreshold: 5 },
  });
});

const resourcesOf = (domain: object, bounds = {}) =>
  podOf({ domain }, bounds).containers[0].resources;

test("a limit is said where somebody says one, or a quota wants it", () => {
  const memory = { guest: "64Mi" };
  assert.equal(resourcesOf({ memory }).limits, undefined);
  assert.deepEqual(resourcesOf({ memory, cpu: { cores: 2 } }, { memory: true, cpu: true }), {
    requests: { cpu: "200m", memory: "145Mi" },
    limits: { cpu: "2", memory: "289Mi" },
  });
});

test("a guest in huge pages asks for as many, and for ordinary memory beside them", () => {
  const memory = { guest: "64Mi", hugepages: { pageSize: "2Mi" } };
  const { requests, limits } = resourcesOf({ memory });
  assert.deepEqual([requests["hugepages-2Mi"], requests.memory], ["64Mi", "77Mi"]);
  assert.deepEqual(limits, { "hugepages-2Mi": "64Mi", memory: "77Mi" });
});

test("CPUs that nobody else uses are whole ones of a node that gives such away", () => {
  const { containers, nodeSelector } = podOf({
    domain: { cpu: { cores: 2, dedicatedCpuPlacement: true }, memory: { guest: "64Mi" } },
  });
  assert.deepEqual(containers[0].resources.requests, containers[0].resources.limits);
  assert.equal(containers[0].resources.requests.cpu, "2");
  assert.equal(nodeSelector.cpumanager, "true");
});

test("devices of the machine are asked for by their resources", () => {
  const hostDevices = ["a", "b"].map((name) => ({ name, deviceName: "example.com/card" }));
  assert.deepEqual(resourcesOf({ devices: { hostDevices } }).limits, { "example.com/card": "2" });
});
