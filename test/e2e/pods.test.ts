// What a pod may ask of its node beyond running: another size, another signal, a look inside, and what it is
// refused by name.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "pods");
  await importBusybox(site);
});
after(() => site.remove());

/** Until nothing that `look` asserts fails. */
async function comes(look: () => Promise<void>) {
  let last: unknown;
  const seen = async () => {
    await look().catch((error) => {
      last = error;
      throw error;
    });
    return true;
  };
  await eventually(seen, "").catch(() => Promise.reject(last as Error));
}

const loop = "trap 'exit 0' TERM; while true; do sleep 1 & wait; done";

const pod = (name: string, spec: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 10
${spec}
`;

const container = (name: string, script: string, more = "") =>
  `  - {name: ${name}, image: "busybox:kerb", command: [sh, -c, ${JSON.stringify(script)}]${more}}\n`;

const ready = (name: string) =>
  site.kubectl(["wait", "--for=condition=Ready", `pod/${name}`, "--timeout=120s"]);

/** What the kernel says of a file in all cgroups below the pod's. */
function cgroupValues(uid: string, v1: string, v2: string): string[] {
  const unified = readdirSync("/sys/fs/cgroup").includes("cgroup.controllers");
  const top = unified ? "/sys/fs/cgroup" : join("/sys/fs/cgroup", v1.split("/")[0]!);
  const file = unified ? v2 : v1.split("/")[1]!;
  const folders = readdirSync(top, { recursive: true, withFileTypes: true });
  return folders
    .filter((one) => one.isFile() && one.name === file && one.parentPath.includes(`pod${uid}`))
    .map((one) => readFileSync(join(one.parentPath, one.name), "utf8").trim());
}

const sized =
  ", resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {cpu: 100m, memory: 32Mi}}";

test("a running pod is resized, the kernel agrees, and what the node has not got is refused", async () => {
  const restarts = ", resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]";
  const containers = container("kept", loop, sized) + container("again", loop, sized + restarts);
  await site.apply(pod("sized", `  containers:\n${containers}`));
  await ready("sized");
  const resize = (containers: object[]) =>
    site.kubectl([
      ...["patch", "pod", "sized", "--subresource", "resize"],
      ...["-p", JSON.stringify({ spec: { containers } })],
    ]);
  const memory = (name: string) => ({ name, resources: { limits: { memory: "48Mi" } } });
  await resize([memory("kept"), memory("again")]);
  const now = await eventually(async () => {
    const { metadata, status } = await site.get("pod", "sized");
    const sizes = status.containerStatuses.map((one: any) => one.resources.limits.memory);
    const restarts = status.containerStatuses.map((one: any) => one.restartCount);
    assert.deepEqual(
      [sizes, restarts],
      [
        ["48Mi", "48Mi"],
        [0, 1],
      ],
    );
    return metadata.uid as string;
  }, "the new size");
  const bytes = String(48 * 2 ** 20);
  // Groups of others come and go while all are walked.
  await comes(async () => {
    const limits = cgroupValues(now, "memory/memory.limit_in_bytes", "memory.max");
    assert.equal(limits.filter((one) => one === bytes).length, 2);
    assert.ok(limits.includes(String(96 * 2 ** 20)));
  });
  await resize([{ name: "kept", resources: { limits: { cpu: "900" }, requests: { cpu: "900" } } }]);
  await comes(async () => {
    const { status } = await site.get("pod", "sized");
    const pending = status.conditions.find((one: any) => one.type === "PodResizePending");
    assert.match(`${pending?.reason} ${pending?.message}`, /Infeasible.*enough capacity: cpu/);
    assert.equal(status.containerStatuses[0].allocatedResources.cpu, "50m");
  });
});

test("a container gets the signal that it asks for, and somebody may look into a running pod", async () => {
  const script =
    "trap 'echo got it; exit 0' USR1; echo begins; while true; do sleep 1 & wait; done";
  const lifecycle = ", lifecycle: {stopSignal: SIGUSR1}";
  await site.apply(
    pod("signal", `  os: {name: linux}\n  containers:\n${container("main", script, lifecycle)}`),
  );
  await ready("signal");
  const debug = ["debug", "signal", "--image=busybox:kerb", "--target=main", "-c", "look", "--"];
  await site.kubectl([...debug, "sh", "-c", "ps; sleep 600"]);
  await comes(async () => {
    assert.match(await site.kubectl(["logs", "signal", "-c", "look"]), /got it; exit 0/);
  });
  const follow = ["--kubeconfig", site.kubeconfig, "logs", "-f", "signal", "-c", "main"];
  const follower = spawn(join(root, ".cache/clients/kubectl"), follow, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let heard = "";
  follower.stdout.setEncoding("utf8").on("data", (chunk: string) => (heard += chunk));
  const ended = once(follower, "close");
  await eventually(async () => heard.includes("begins"), "its first words");
  await site.kubectl(["delete", "pod", "signal", "--wait=false"]);
  await ended;
  assert.match(heard, /^got it$/m);
});

test("what this node cannot do for a pod it refuses by name", async () => {
  const one = `  containers:\n${container("main", loop)}`;
  const context = (text: string) => `  securityContext: ${text}\n${one}`;
  const unsafe = "{sysctls: [{name: kernel.msgmax, value: '65536'}]}";
  await site.apply(pod("sysctl", context(unsafe)));
  await site.apply(pod("groups", context("{supplementalGroupsPolicy: Strict}")));
  await site.apply(pod("users", `  hostUsers: false\n${one}`));
  const deep =
    ", volumeMounts: [{name: v, mountPath: /v, readOnly: true, recursiveReadOnly: Enabled}]";
  const volumes = "  volumes: [{name: v, emptyDir: {}}]\n";
  await site.apply(pod("deep", `${volumes}  containers:\n${container("main", loop, deep)}`));
  await comes(async () => {
    const table = await site.kubectl(["get", "pods"]);
    assert.match(table, /sysctl +0\/1 +SysctlForbidden/);
    const abilities = /groups +0\/1 +SupplementalGroupsPolicyNotSupported|groups +1\/1/;
    assert.match(table, abilities);
    assert.match(await site.kubectl(["describe", "pod", "users"]), /hostUsers: false: /);
    const { status } = await site.get("pod", "deep");
    const [{ state, volumeMounts }] = status.containerStatuses;
    const { recursiveReadOnly } = volumeMounts.find(({ name }: any) => name === "v");
    if (recursiveReadOnly === "Enabled") assert.ok(state.running);
    else assert.match(state.waiting?.message ?? "", /not supported by the runtime/);
  });
});

test("a pod's programs are told the whole name of their machine where the pod asks for that", async () => {
  const named = "  hostname: till\n  subdomain: shop\n  setHostnameAsFQDN: true\n";
  await site.apply(pod("named", `${named}  containers:\n${container("main", loop)}`));
  await ready("named");
  const name = (await site.kubectl(["exec", "named", "--", "hostname"])).trim();
  assert.equal(name, "till.shop.default.svc.cluster.local");
  assert.match(await site.kubectl(["exec", "named", "--", "cat", "/etc/hosts"]), /\ttill$/m);
});

test("a container has variables from a file that an init container wrote", async () => {
  const write = "printf \"DOOR='left'\\n\" > /out/env";
  const from = (key: string, more = "") =>
    `{fileKeyRef: {volumeName: out, path: env, key: ${key}${more}}}`;
  const env = `, env: [{name: DOOR, valueFrom: ${from("DOOR")}}, {name: NONE, valueFrom: ${from("NONE", ", optional: true")}}]`;
  const mounts = ", volumeMounts: [{name: out, mountPath: /out}]";
  await site.apply(
    pod(
      "variables",
      `  volumes: [{name: out, emptyDir: {}}]\n  initContainers:\n${container("first", write, mounts)}  containers:\n${container("main", loop, env)}`,
    ),
  );
  await ready("variables");
  const said = await site.kubectl([
    "exec",
    "variables",
    "--",
    "sh",
    "-c",
    "echo $DOOR/${NONE-none}",
  ]);
  assert.equal(said.trim(), "left/none");
});

test("a container starts again when its own rules say so, whatever the pod's policy", async () => {
  const rules =
    ", restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]";
  const script = "[ -e /keep/x ] && exit 3; touch /keep/x; exit 42";
  const mounts = ", volumeMounts: [{name: keep, mountPath: /keep}]";
  await site.apply(
    pod(
      "rules",
      `  restartPolicy: Never\n  volumes: [{name: keep, emptyDir: {}}]\n  containers:\n${container("main", script, rules + mounts)}`,
    ),
  );
  await comes(async () => {
    const { status } = await site.get("pod", "rules");
    const [main] = status.containerStatuses;
    assert.deepEqual([status.phase, main.restartCount], ["Failed", 1]);
    assert.equal(main.state.terminated.exitCode, 3);
  });
});

test("the node shows what a kubelet shows, through the API server", async () => {
  const page = (path: string) => site.kubectl(["get", "--raw", `/api/v1/nodes/pods/proxy/${path}`]);
  assert.equal(await page("healthz"), "ok");
  const summary = JSON.parse(await page("stats/summary"));
  const seen = summary.pods.find((one: any) => one.podRef.name === "sized");
  assert.deepEqual(
    seen.containers.map((one: any) => one.name),
    ["kept", "again"],
  );
  assert.ok(seen.memory.workingSetBytes > 0 && seen.network.rxBytes >= 0);
  assert.match(await page("metrics/resource"), /pod_cpu_usage_seconds_total\{.*pod="sized"\}/);
  assert.match(await page("metrics/cadvisor"), /container_memory_rss\{container="kept"/);
  assert.equal(JSON.parse(await page("configz")).kubeletconfig.maxPods, 110);
  const { status } = await site.get("node", "pods");
  const types = status.conditions.map((one: any) => one.type);
  assert.ok(types.includes("KernelDeadlock") && types.includes("ReadonlyFilesystem"));
});
