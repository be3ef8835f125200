// Volumes as pods see them, with real containers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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
