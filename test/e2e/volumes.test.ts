// Volumes as pods see them, with real containers.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { FakeCsiDriver } from "../../src/node/csi/fake-csi-driver.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "store");
  await importBusybox(site);
});
const stops: (() => void)[] = [];
after(async () => {
  await site.remove();
  for (const stop of stops) stop();
});

const ready = (pod: string) =>
  site.kubectl(["wait", `pod/${pod}`, "--for=condition=Ready", "--timeout=120s"]);
const inside = (pod: string, script: string) =>
  site.kubectl(["exec", pod, "--", "sh", "-c", script]);

interface PodOptions {
  script?: string;
  mounts?: string;
  devices?: string;
  volumes: string;
}

const pod = (name: string, { script = "sleep 3600", mounts, devices, volumes }: PodOptions) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "${script}"]
    volumeMounts: [${mounts ?? ""}]
    volumeDevices: [${devices ?? ""}]
  volumes: [${volumes}]
`;

test("a volume shows an image's files, read only, also after the machine started anew", async () => {
  const disk = "{name: disk, image: {reference: 'busybox:kerb', pullPolicy: Never}}";
  const mounts =
    "{name: disk, mountPath: /disk}, {name: disk, mountPath: /who, subPath: etc/passwd}";
  await site.apply(pod("image", { mounts, volumes: disk }));
  await ready("image");
  assert.match(await inside("image", "cat /disk/etc/passwd /who"), /^(root:.*\n){2}$/);
  await assert.rejects(inside("image", "touch /disk/new"), /Read-only file system/);
  await site.apply(leaving(join(site.directory, "words")));
  await ready("leaving");
  await site.down();
  // Its hook was heard out before its signal.
  assert.equal(readFileSync(join(site.directory, "words/last"), "utf8"), "hook\nTERM\n");
  await site.up();
  await eventually(async () => {
    assert.match(await inside("image", "cat /who"), /root/);
    return true;
  }, "the pod after a restart");
  await site.kubectl(["delete", "pod", "image", "leaving"]);
});

/** Says by what it is ended; the site has no API any more when it is. */
const leaving = (path: string) => `
apiVersion: v1
kind: Pod
metadata: {name: leaving}
spec:
  terminationGracePeriodSeconds: 10
  volumes: [{name: words, hostPath: {path: ${path}, type: DirectoryOrCreate}}]
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, "trap 'echo TERM >> /words/last; exit 0' TERM; while true; do sleep 1 & wait; done"]
    lifecycle: {preStop: {exec: {command: [sh, -c, "sleep 1; echo hook >> /words/last"]}}}
    volumeMounts: [{name: words, mountPath: /words}]
`;

const claim = (name: string, mode: string) => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ${name}}
spec: {accessModes: [ReadWriteOnce], volumeMode: ${mode}, resources: {requests: {storage: 4Mi}}}
`;
const claimed = (name: string) => `{name: ${name}, persistentVolumeClaim: {claimName: ${name}}}`;

test("a claim of mode Block is a device of its size, and grows while its pod runs", async () => {
  const devices = "{name: raw, devicePath: /dev/raw}";
  const volumes = claimed("raw");
  await site.apply(claim("raw", "Block") + "---" + pod("block", { devices, volumes }));
  await ready("block");
  const write = (mebibyte: number) =>
    inside("block", `echo x | dd of=/dev/raw bs=1M seek=${mebibyte} 2>/dev/null && echo written`);
  assert.match(await write(3), /written/);
  await assert.rejects(write(5));
  const larger = '{"spec":{"resources":{"requests":{"storage":"8Mi"}}}}';
  await site.kubectl(["patch", "pvc", "raw", "--type=merge", "-p", larger]);
  await eventually(
    async () => (await site.get("pvc", "raw")).status.capacity.storage === "8Mi",
    "the new size",
  );
  assert.match(await write(5), /written/);
  const smaller = larger.replace("8Mi", "1Gi");
  await site.kubectl(["patch", "sc", "local-path", "-p", '{"allowVolumeExpansion":false}']);
  await assert.rejects(
    site.kubectl(["patch", "pvc", "raw", "--type=merge", "-p", smaller]),
    /must support resize/,
  );
});

test("files of a claim whose class minds sizes are full when they are as large as it, until it grows", async () => {
  await site.apply(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: sized}
provisioner: kerb.dev/local-path
parameters: {enforceSize: "true"}
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: sized}
spec: {storageClassName: sized, accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
---${pod("full", { mounts: "{name: sized, mountPath: /files}", volumes: claimed("sized") })}`);
  await ready("full");
  const write = (name: string) => inside(name, "dd if=/dev/zero of=/files/big bs=1M count=24 2>&1");
  await assert.rejects(write("full"), /No space left on device/);
  const larger = '{"spec":{"resources":{"requests":{"storage":"48Mi"}}}}';
  await site.kubectl(["patch", "pvc", "sized", "--type=merge", "-p", larger]);
  // Under its pod it grows where the kernel lets Kerb do that, and else when it is mounted next.
  await site.kubectl(["delete", "pod", "full"]);
  await eventually(
    async () => !readFileSync("/proc/self/mounts", "utf8").includes("_sized.mounted"),
    "the end of the mount",
  );
  await site.apply(
    pod("again", { mounts: "{name: sized, mountPath: /files}", volumes: claimed("sized") }),
  );
  await ready("again");
  await eventually(
    async () => (await site.get("pvc", "sized")).status.capacity.storage === "48Mi",
    "the new size",
  );
  await write("again");
  const told = await eventually(async () => {
    const page = "/api/v1/nodes/store/proxy/stats/summary";
    const { pods } = JSON.parse(await site.kubectl(["get", "--raw", page]));
    return pods.find(({ podRef }: any) => podRef.name === "again").volume[0];
  }, "what the node says of it");
  assert.equal(told.pvcRef.name, "sized");
  assert.ok(told.usedBytes > 24 * 2 ** 20 && told.capacityBytes < 48 * 2 ** 20);
});

test("a part of a volume cannot lead out of it, and an ephemeral claim goes with its pod", async () => {
  const scratch =
    "{name: own, ephemeral: {volumeClaimTemplate: {spec: " +
    "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}}}";
  const mounts = "{name: own, mountPath: /own}, {name: files, mountPath: /files}";
  const volumes = `${scratch}, ${claimed("files")}`;
  await site.apply(claim("files", "Filesystem") + "---" + pod("maker", { mounts, volumes }));
  await ready("maker");
  await inside("maker", "ln -s / /files/out && mkdir -p /files/in && echo deep > /files/in/file");
  const part = (path: string) => ({
    mounts: `{name: files, mountPath: /part, subPath: ${path}}`,
    volumes: claimed("files"),
  });
  await site.apply(pod("inner", part("in")) + "---" + pod("outer", part("out/etc")));
  await ready("inner");
  assert.equal(await inside("inner", "cat /part/file"), "deep\n");
  await eventually(async () => {
    const [{ state }] = (await site.get("pod", "outer")).status.containerStatuses;
    return /leads out of its volume/.test(state.waiting?.message);
  }, "the refusal");
  await site.kubectl(["delete", "pod", "--all", "--now"]);
  await site.kubectl(["delete", "pvc", "raw", "files", "sized"]);
  await site.kubectl(["wait", "pvc", "--all", "--for=delete", "--timeout=120s"]);
  await site.kubectl(["wait", "pv", "--all", "--for=delete", "--timeout=120s"]);
  const list = ["--list", "--noheadings", "--output", "BACK-FILE"];
  const loops = async () => (await run("losetup", list)).includes(site.directory);
  await eventually(async () => !(await loops()), "the end of its loop devices");
  const mounted = new RegExp(`${site.directory}/pods/.+/`);
  const mountsNow = () => readFileSync("/proc/self/mounts", "utf8");
  await eventually(async () => !mounted.test(mountsNow()), "the end of its mounts");
});

test("a driver that registers brings a volume to a pod once it is attached, and has it back", async () => {
  const usual = "/var/lib/kubelet";
  const own = join(site.directory, "kubelet");
  const kubelet = existsSync(join(own, "plugins_registry")) ? own : usual;
  const name = "disk.example.com";
  const driver = new FakeCsiDriver({
    registry: join(kubelet, "plugins_registry"),
    name,
    can: ["stages", "expands"],
  });
  await driver.start();
  stops.push(() => driver.stop());
  const node = async () =>
    (await site.get("csinode", "store")).spec.drivers[0].nodeID === "machine-1";
  await eventually(node, "the CSINode");
  const mounts = "{name: far, mountPath: /far}";
  const driven = pod("driven", { mounts, volumes: claimed("far") });
  await site.apply(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: far}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: far
  claimRef: {namespace: default, name: far}
  csi: {driver: ${name}, volumeHandle: vol-7}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: far}
provisioner: ${name}
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: far}
spec: {accessModes: [ReadWriteOnce], storageClassName: far, resources: {requests: {storage: 1Gi}}}
---${driven}`);
  const attachment = await eventually(
    async () => (await site.get("volumeattachments")).items[0],
    "the attachment",
  );
  assert.deepEqual([attachment.spec.attacher, attachment.spec.nodeName], [name, "store"]);
  const status = '{"status":{"attached":true,"attachmentMetadata":{"lun":"3"}}}';
  const attached = ["patch", "volumeattachment", attachment.metadata.name, "--subresource=status"];
  await site.kubectl([...attached, "--type=merge", "-p", status]);
  await ready("driven");
  assert.equal(await inside("driven", "cat /far/hello"), "from the driver");
  assert.deepEqual(driver.asked.get("NodeStageVolume").publish_context, { lun: "3" });
  const volume = "kubernetes.io/csi/disk.example.com^vol-7";
  const said = async () => {
    const { volumesInUse, volumesAttached } = (await site.get("node", "store")).status;
    const wanted = [[volume], [{ name: volume, devicePath: "" }]];
    return isDeepStrictEqual([volumesInUse, volumesAttached], wanted);
  };
  await eventually(said, "what the node says of its volumes");
  await site.kubectl(["patch", "pv", "far", "-p", '{"spec":{"capacity":{"storage":"2Gi"}}}']);
  const enlarged = '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}';
  await site.kubectl(["patch", "pvc", "far", "--type=merge", "-p", enlarged]);
  await eventually(
    async () => (await site.get("pvc", "far")).status.capacity.storage === "2Gi",
    "the claim's new size",
  );
  assert.equal(driver.asked.get("NodeExpandVolume").capacity_range.required_bytes, 2 * 2 ** 30);
  // With no grace at all the pod leaves the API at once, and its volume stays until the node has let it go.
  await site.kubectl(["delete", "pod", "driven", "--force", "--grace-period=0"]);
  await site.kubectl(["wait", "volumeattachment", "--all", "--for=delete", "--timeout=120s"]);
  assert.deepEqual(driver.calls.slice(-2), [
    "NodeUnpublishVolume vol-7",
    "NodeUnstageVolume vol-7",
  ]);
});
