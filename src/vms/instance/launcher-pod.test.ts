import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { launcherPod } from "./launcher-pod.ts";

const metadata = {
  ...{ namespace: "default", name: "shop", uid: "0a", resourceVersion: "1", creationTimestamp: "" },
};
const podOf = (spec: any) => {
  const vmi = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata, spec };
  return launcherPod(vmi as KubeObject, { isBlock: () => false }).spec as any;
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
