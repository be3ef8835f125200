// A site is given another release of Kerb while a pod runs; a release that is broken gives way by itself.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { runToEnd } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { makeRelease } from "../support/release.ts";
import { kerb, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const files: string[] = [];

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: steady}
spec:
  containers: [{name: steady, image: "busybox:kerb", command: [sleep, "3600"]}]
`;

before(async () => {
  site = await startSite("--name", "updated");
  await importBusybox(site);
  await site.apply(pod);
  await site.kubectl(["wait", "pod/steady", "--for=condition=Ready", "--timeout=60s"]);
});
after(async () => {
  await site.remove();
  for (const file of files) rmSync(dirname(file), { recursive: true });
});

async function update(...release: Parameters<typeof makeRelease>) {
  const file = await makeRelease(...release);
  files.push(file);
  return runToEnd(kerb, ["update", file, "--data-dir", site.directory], { timeoutMs: 120_000 });
}

const version = async () =>
  JSON.parse(await site.kubectl(["get", "--raw", "/kerb/release"])).version;
const container = async () => {
  const { metadata, status } = await site.get("pod", "steady");
  const [{ containerID, restartCount }] = status.containerStatuses;
  return { uid: metadata.uid, containerID, restartCount };
};

test("a site becomes another release, in the same process, and its pods do not notice", async () => {
  const [before, pid] = [await container(), site.pid];
  const { code, stdout, stderr } = await update("0.9.1");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Kerb 0\.9\.1 runs the site/);
  assert.equal(await version(), "0.9.1");
  assert.equal(site.pid, pid);
  assert.deepEqual(await container(), before);
});

test("a release that ends at once gives way to the one before", async () => {
  const before = await container();
  const { code, stderr } = await update("0.9.2", "ends");
  assert.equal(code, 1);
  assert.match(stderr, /release 0\.9\.2 ended before it was ready/);
  assert.equal(await version(), "0.9.1");
  assert.deepEqual(await container(), before);
  assert.match(readFileSync(join(site.directory, "kerb.log"), "utf8"), /this release is broken/);
});

test("the release that proved itself runs after a restart too", async () => {
  await site.down("--keep-workloads");
  await site.up();
  assert.equal(await version(), "0.9.1");
});

test("what is no release is refused, and another than was meant", async () => {
  const file = join(site.directory, "no-release.tgz");
  writeFileSync(file, "hello");
  const update = (...more: string[]) =>
    runToEnd(kerb, ["update", file, "--data-dir", site.directory, ...more]);
  assert.match((await update()).stderr, /cannot be unpacked/);
  assert.match((await update("--sha256", "0".repeat(64))).stderr, /is sha256 [0-9a-f]+, not 0+/);
  assert.equal(await version(), "0.9.1");
});

test("a release that never gets ready and is killed gives way to the good one", async () => {
  const file = await makeRelease("0.9.3", "hangs");
  files.push(file);
  const updating = runToEnd(kerb, ["update", file, "--data-dir", site.directory], {
    timeoutMs: 120_000,
  });
  const state = () => JSON.parse(readFileSync(join(site.directory, "releases/state.json"), "utf8"));
  const { pid } = site;
  await eventually(async () => state().trying?.version === "0.9.3", "the try");
  await eventually(
    async () => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("0.9.3"),
    "it",
  );
  process.kill(pid, "SIGKILL");
  const { stderr } = await updating;
  assert.match(stderr, /ended before it was ready; .* 0\.9\.1 runs again/);
});
