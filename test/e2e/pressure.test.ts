// A node that runs short: of memory, of the disk it lends to pods, of process numbers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "pressure");
  await importBusybox(site);
});
after(() => site.remove());

interface PodOptions {
  volumes?: string;
  mounts?: string;
  resources?: string;
}

const pod = (name: string, script: string, options: PodOptions = {}) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 60
  restartPolicy: Never
  volumes: ${options.volumes ?? "[]"}
  containers:
  - name: main
    image: busybox:kerb
    command: [sh, -c, ${JSON.stringify(script)}]
    volumeMounts: ${options.mounts ?? "[]"}
    resources: ${options.resources ?? "{}"}
`;

const failed = (name: string) =>
  site.kubectl(["wait", `pod/${name}`, "--for=jsonpath={.status.phase}=Failed", "--timeout=120s"]);

test("an emptyDir that outgrows its limit ends its pod, and the message names both", async () => {
  const volumes = "[{name: scratch, emptyDir: {sizeLimit: 1Mi}}]";
  const mounts = "[{name: scratch, mountPath: /scratch}]";
  const script = "dd if=/dev/zero of=/scratch/x bs=1M count=3; sleep 600";
  await site.apply(pod("writer", script, { volumes, mounts }));
  await failed("writer");
  const { status } = await site.get("pod", "writer");
  assert.equal(status.reason, "Evicted");
  assert.match(status.message, /Usage of EmptyDir volume "scratch" exceeds the limit "1Mi"/);
  const disrupted = status.conditions.find((one: any) => one.type === "DisruptionTarget");
  assert.equal(disrupted.reason, "TerminationByKubelet");
});

test("a container that writes more than its ephemeral storage ends its pod", async () => {
  const resources = "{limits: {ephemeral-storage: 2Mi}}";
  await site.apply(pod("layer", "dd if=/dev/zero of=/x bs=1M count=5; sleep 600", { resources }));
  await failed("layer");
  const { status } = await site.get("pod", "layer");
  assert.match(status.message, /Container main exceeded its local ephemeral storage limit "2Mi"/);
});

test("a pod that forks without end fills its own room, and the node goes on", async () => {
  const script = 'i=0; while [ $i -lt 6000 ]; do sleep 600 & i=$((i+1)); done; echo "all $i"';
  await site.apply(pod("forks", script));
  await failed("forks");
  const said = await site.kubectl(["logs", "forks"]);
  const { status } = await site.get("pod", "forks");
  assert.match(said, /can't fork|[Rr]esource temporarily/, JSON.stringify(status));
  await site.apply(pod("neighbour", "echo fine"));
  const done = "--for=jsonpath={.status.phase}=Succeeded";
  await site.kubectl(["wait", "pod/neighbour", done, "--timeout=120s"]);
});

/** Starts the site again, of which no more memory than there is now but for a margin may be used. Resolves with that, MiB. */
async function boundMemory(): Promise<number> {
  await site.down("--keep-workloads");
  const meminfo = readFileSync("/proc/meminfo", "utf8");
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(meminfo)![1]) / 1024;
  const margin = Math.floor(Math.min(1024, available / 4));
  const evictionHard = `memory.available<${Math.floor(available - margin)}Mi`;
  const calm = ["--eviction-pressure-transition-period", "5s"];
  await site.up("--eviction-hard", evictionHard, ...calm);
  return margin;
}

test("short of memory, the node ends the pod that took it and no other, and says so", async () => {
  const margin = await boundMemory();
  await site.apply(pod("small", "sleep 600", { resources: "{requests: {memory: 16Mi}}" }));
  await site.kubectl(["wait", "pod/small", "--for=condition=Ready", "--timeout=120s"]);
  const volumes = "[{name: mem, emptyDir: {medium: Memory}}]";
  const mounts = "[{name: mem, mountPath: /mem}]";
  const script = `dd if=/dev/zero of=/mem/x bs=1M count=${Math.floor(margin * 1.5)}; sleep 600`;
  // It is over soon after the pod is.
  const isShort = ["node/pressure", "--for=condition=MemoryPressure=True", "--timeout=120s"];
  const seen = site.kubectl(["wait", ...isShort]);
  await site.apply(pod("hog", script, { volumes, mounts }));
  await failed("hog");
  const { status } = await site.get("pod", "hog");
  assert.equal(status.reason, "Evicted");
  assert.match(status.message, /^The node was low on resource: memory\. Threshold quantity: \d+Mi/);
  const used = Number(/Container main was using (\d+)/.exec(status.message)![1]);
  assert.ok(used > 0, status.message);
  await seen;
  assert.equal((await site.get("pod", "small")).status.phase, "Running");
});

test("when there is memory again the node says that too, and takes pods", async () => {
  const calm = "--for=condition=MemoryPressure=False";
  await site.kubectl(["wait", "node/pressure", calm, "--timeout=120s"]);
  await site.apply(pod("after", "echo back"));
  const done = "--for=jsonpath={.status.phase}=Succeeded";
  await site.kubectl(["wait", "pod/after", done, "--timeout=120s"]);
});
