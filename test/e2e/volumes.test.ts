// Volumes as pods see them, with real containers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "store");
  await importBusybox(site);
});
after(() => site.remove());

const ready = (pod: string) =>
  site.kubectl(["wait", `pod/${pod}`, "--for=condition=Ready", "--timeout=30s"]);
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
  await site.down();
  await site.up();
  await eventually(async () => {
    assert.match(await inside("image", "cat /who"), /root/);
    return true;
  }, "the pod after a restart");
  await site.kubectl(["delete", "pod", "image"]);
});

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
  await site.kubectl(["delete", "pvc", "raw", "files"]);
  await site.kubectl(["wait", "pvc", "--all", "--for=delete", "--timeout=30s"]);
  await site.kubectl(["wait", "pv", "--all", "--for=delete", "--timeout=30s"]);
  const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
  assert.equal(loops.includes(site.directory), false);
  const mounted = readFileSync("/proc/self/mounts", "utf8");
  assert.doesNotMatch(mounted, new RegExp(`${site.directory}/pods/.+/`));
});
