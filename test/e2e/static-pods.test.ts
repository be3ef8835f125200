// A pod of a file runs whatever the API says, and the API shows it.
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
let file: string;

before(async () => {
  site = await startSite("--name", "still");
  await importBusybox(site);
  file = join(site.directory, "manifests", "clock.yaml");
});
after(() => site.remove());

const manifest = (word: string) => `
apiVersion: v1
kind: Pod
metadata: {name: clock}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: "busybox:kerb", command: [sh, -c, "echo ${word}; exec sleep 3600"]}
`;

const ready = async () => {
  await eventually(() => site.get("pod", "clock-still"), "the mirror");
  await site.kubectl(["wait", "pod/clock-still", "--for=condition=Ready", "--timeout=120s"]);
  return site.get("pod", "clock-still");
};
const log = () => site.kubectl(["logs", "clock-still"]);

test("a file in the folder of manifests becomes a running pod that the API shows", async () => {
  await writeFile(file, manifest("first"));
  const mirror = await ready();
  assert.equal(mirror.metadata.ownerReferences[0].kind, "Node");
  assert.equal(mirror.metadata.annotations["kubernetes.io/config.source"], "file");
  await eventually(async () => /first/.test(await log()), "its first words");
  assert.match(await site.kubectl(["exec", "clock-still", "--", "echo", "inside"]), /inside/);
});

test("its mirror can be deleted, and its container does not notice", async () => {
  const idOf = (pod: any) => pod.status.containerStatuses[0].containerID;
  let before = await ready();
  // kubectl waits for the end, and would wait for ever if another mirror were there before it looks.
  for (let times = 0; times < 3; times++) {
    await site.kubectl(["delete", "pod", "clock-still"]);
    const after = await ready();
    assert.notEqual(after.metadata.uid, before.metadata.uid);
    assert.equal(idOf(after), idOf(before));
    before = after;
  }
});

test("another content is another pod; without the file it ends", async () => {
  await writeFile(file, manifest("second"));
  await eventually(async () => /second/.test(await log()), "its new words");
  await rm(file);
  await site.kubectl(["wait", "pod/clock-still", "--for=delete", "--timeout=120s"]);
});
