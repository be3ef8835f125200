import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { resource, type Client } from "../client/client.ts";
import { Informers } from "../client/informers.ts";
import { localClient } from "../client/local.ts";
import { builtinKinds } from "../kinds/kinds.ts";
import { systemClock } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { createServer } from "../server/server.ts";
import { memoryStore } from "../store/memory.ts";
import { startAgent } from "./agent.ts";
import type { AgentOptions } from "./agent.ts";
import { FakeRuntime } from "./fake-runtime.ts";
import { noMounts } from "./machine/mounts.ts";
import type { Pod } from "./pods/pod.ts";

const pods = { ...resource("v1", "pods"), namespace: "default" };
const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };
const nodes = resource("v1", "nodes");
const events = { ...resource("v1", "events"), namespace: "default" };
const clock = systemClock;

let scope: Scope;
let client: Client;
let directory: string;
let runtime: FakeRuntime;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "node-"));
  scope = new Scope();
  const server = createServer({
    store: memoryStore(),
    kinds: builtinKinds(),
    clock,
    random: systemRandom,
    log: silent,
    serviceCidrs: ["10.96.0.0/24"],
  });
  client = localClient(server, { name: "admin", groups: ["system:masters"] });
  scope.defer(() => server.close());
  runtime = new FakeRuntime({
    clock,
    pullable: (ref) => !ref.startsWith("missing"),
    script: ({ command, attempt }) =>
      command[0] === "exit" && attempt < Number(command[2] ?? 9)
        ? { afterMs: 5, exitCode: Number(command[1]) }
        : undefined,
  });
});

afterEach(async () => {
  await scope.close();
  await rm(directory, { recursive: true, force: true });
});

function start(on: Scope = scope, options: Partial<AgentOptions> = { runtime }) {
  return startAgent({
    client,
    informers: new Informers({ client, clock, log: silent, scope: on }),
    nodeName: "edge",
    directory,
    clock,
    random: systemRandom,
    log: silent,
    scope: on,
    podCidrs: ["10.244.0.0/24"],
    addresses: ["192.0.2.1"],
    clusterDomain: "cluster.local",
    dnsServiceIps: ["10.96.0.10"],
    version: "v1.36.0",
    cgroupRoot: "kerb",
    mounts: noMounts,
    ...options,
  });
}

const create = (name: string, spec: object = {}) =>
  client.create<Pod>(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      nodeName: "edge",
      containers: [{ name: "web", image: "web:1" }],
      terminationGracePeriodSeconds: 1,
      ...spec,
    },
  });

/** For a machine that has much else to do. */
const patienceMs = 120_000;

/** Resolves with the first state of the pod for which `is` holds. */
async function until(name: string, is: (pod: Pod) => boolean): Promise<Pod> {
  const signal = AbortSignal.timeout(patienceMs);
  let last: Pod | undefined;
  while (!signal.aborted) {
    const options = { fieldSelector: `metadata.name=${name}`, sendInitialEvents: true };
    try {
      for await (const event of client.watch<Pod>(pods, { ...options, signal })) {
        if (event.type === "BOOKMARK" || event.type === "ERROR") continue;
        last = event.object;
        if (is(last)) return last;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  assert.fail(`never: ${JSON.stringify(last?.status, null, 1)}`);
}

async function eventually(is: () => Promise<boolean> | boolean) {
  const signal = AbortSignal.timeout(patienceMs);
  while (!(await is())) {
    if (signal.aborted) assert.fail(`never: ${is}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const isReady = (pod: Pod) =>
  pod.status?.conditions?.some((one: any) => one.type === "Ready" && one.status === "True");

const gone = (name: string) =>
  eventually(() =>
    client.get({ ...pods, name }).then(
      () => false,
      (error) => isStatus(error, "NotFound"),
    ),
  );

test("a pod that starts at once is told of once, and none waits until it is told of", async () => {
  const still = new FakeClock();
  const [pulled, written] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const pull = runtime.pullImage.bind(runtime);
  runtime.pullImage = (ref) => (ref === "web:2" ? pulled.promise.then(() => pull(ref)) : pull(ref));
  let told = 0;
  const patch: Client["patch"] = async (target, ...words) => {
    if (target.resource === "pods" && ++told === 2) await written.promise;
    return client.patch(target, ...words);
  };
  await start(scope, { runtime, clock: still, client: { ...client, patch } });
  await create("p");
  await until("p", isReady);
  assert.equal(told, 1);
  const { uid } = (await create("q", { containers: [{ name: "web", image: "web:2" }] })).metadata;
  await eventually(() => runtime.sandboxes.size === 2);
  await still.advance(60);
  pulled.resolve();
  await eventually(async () => (await runtime.pod(uid))?.containers[0]?.state === "running");
  written.resolve();
  await until("q", isReady);
});

test("a pod runs and is deleted", async () => {
  await start();
  await create("web");
  const { status } = await until("web", isReady);
  assert.equal(status.phase, "Running");
  assert.match(status.podIP, /^10\.244/);
  assert.equal(status.hostIP, "192.0.2.1");
  assert.equal(status.qosClass, "BestEffort");
  const [container] = status.containerStatuses;
  assert.equal(container.ready, true);
  assert.match(container.containerID, /^containerd:\/\//);
  await client.delete({ ...pods, name: "web" });
  await gone("web");
  await eventually(() => runtime.sandboxes.size === 0);
});

test("a pod is given to the handler of its RuntimeClass, and waits while there is no such class", async () => {
  // Nothing looks at all pods from time to time: its own next try is enough.
  await start(scope, { runtime, clock: { ...clock, every: () => () => {} } });
  await create("web", { runtimeClassName: "special" });
  await eventually(async () =>
    (await client.list(events)).items.some(({ message }: any) =>
      /RuntimeClass.node.k8s.io "special" not found/.test(message),
    ),
  );
  const runtimeClass = { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", handler: "gvisor" };
  await client.create(resource("node.k8s.io/v1", "runtimeclasses"), {
    ...runtimeClass,
    metadata: { name: "special" },
  });
  await until("web", isReady);
  assert.deepEqual(runtime.handlers(), ["gvisor"]);
});

test("the node says what it is", async () => {
  await start();
  const node = await client.get({ ...nodes, name: "edge" });
  assert.equal(node.metadata.labels?.["kubernetes.io/hostname"], "edge");
  assert.equal(node.spec.podCIDR, "10.244.0.0/24");
  const ready = node.status.conditions.find((one: any) => one.type === "Ready");
  assert.deepEqual([ready.status, ready.reason], ["True", "KubeletReady"]);
  assert.ok(Number(node.status.capacity.cpu) > 0);
});

test("a machine without containers has a node that says why", async () => {
  await start(scope, { shortcoming: "containerd is not installed" });
  const node = await client.get({ ...nodes, name: "edge" });
  const ready = node.status.conditions.find((one: any) => one.type === "Ready");
  assert.deepEqual([ready.status, ready.message], ["False", "containerd is not installed"]);
});

test("init containers and sidecars start in their order", async () => {
  await start();
  await create("web", {
    initContainers: [
      { name: "one", image: "i", command: ["exit", "0"] },
      { name: "side", image: "i", restartPolicy: "Always" },
      { name: "two", image: "i", command: ["exit", "0"] },
    ],
  });
  const { status } = await until("web", isReady);
  const started = runtime.calls.filter((call) => call.startsWith("start"));
  assert.deepEqual(started, ["start one", "start side", "start two", "start web"]);
  assert.equal(status.initContainerStatuses[0].state.terminated.reason, "Completed");
});

test("what waits for an init container says so, other init containers too", async () => {
  await start();
  await create("web", {
    restartPolicy: "Never",
    initContainers: [
      { name: "one", image: "i", command: ["exit", "1"] },
      { name: "two", image: "i" },
    ],
  });
  const { status } = await until("web", (pod) => pod.status?.phase === "Failed");
  const [, two] = status.initContainerStatuses;
  assert.equal(two.state.waiting.reason, "PodInitializing");
  assert.equal(status.containerStatuses[0].state.waiting.reason, "PodInitializing");
});

test("a container added to debug a pod runs beside the others, once", async () => {
  await start();
  await create("web");
  await until("web", isReady);
  await client.patch({ ...pods, name: "web", subresource: "ephemeralcontainers" }, "merge", {
    spec: {
      ephemeralContainers: [
        { name: "look", image: "i", targetContainerName: "web" },
        { name: "once", image: "i", command: ["exit", "1"] },
      ],
    },
  });
  const { status } = await until("web", (pod) =>
    pod.status?.ephemeralContainerStatuses?.some((one: any) => one.state.terminated),
  );
  assert.equal(status.phase, "Running");
  const states = status.ephemeralContainerStatuses.map((one: any) => Object.keys(one.state)[0]);
  assert.deepEqual(states, ["running", "terminated"]);
  assert.equal(runtime.calls.filter((call) => call === "start once").length, 1);
  await client.delete({ ...pods, name: "web" });
  await gone("web");
  await eventually(() => runtime.containers.size === 0);
});

test("a job's pod succeeds, a crashing one backs off", async () => {
  await start();
  const container = { name: "web", image: "web:1" };
  await create("job", {
    restartPolicy: "Never",
    containers: [{ ...container, command: ["exit", "0"] }],
  });
  await create("crash", { containers: [{ ...container, command: ["exit", "3"] }] });
  const job = await until("job", ({ status }) => status?.phase === "Succeeded");
  assert.equal(job.status.containerStatuses[0].state.terminated.exitCode, 0);
  const crash = await until(
    "crash",
    ({ status }) => status?.containerStatuses?.[0].state.waiting?.reason === "CrashLoopBackOff",
  );
  assert.equal(crash.status.containerStatuses[0].lastState.terminated.exitCode, 3);
  assert.equal(crash.status.containerStatuses[0].restartCount, 1);
});

test("an image that is not there is told", async () => {
  await start();
  await create("web", { containers: [{ name: "web", image: "missing:1" }] });
  const reason = ({ status }: Pod) => status?.containerStatuses?.[0].state.waiting?.reason;
  await until("web", (pod) => reason(pod) === "ErrImagePull");
  await until("web", (pod) => reason(pod) === "ImagePullBackOff");
  const { items } = await client.list(events);
  assert.ok(items.some(({ ["message"]: text }) => text === 'Pulling image "missing:1"'));
});

test("an image that nothing can be named is told as such, and not asked for", async () => {
  await start();
  await create("web", { containers: [{ name: "web", image: "Not an image" }] });
  const waiting = ({ status }: Pod) => status?.containerStatuses?.[0].state.waiting;
  const pod = await until("web", (one) => waiting(one)?.reason === "InvalidImageName");
  assert.match(waiting(pod).message, /couldn't parse image name "Not an image"/);
});

test("a ConfigMap that comes late starts its container, and a change reaches the files", async () => {
  await start();
  await create("web", {
    containers: [
      {
        name: "web",
        image: "web:1",
        env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "late", key: "a" } } }],
        volumeMounts: [{ name: "v", mountPath: "/v" }],
      },
    ],
    volumes: [{ name: "v", configMap: { name: "late" } }],
  });
  await eventually(async () =>
    (await client.list(events)).items.some(({ ["reason"]: reason }) => reason === "FailedMount"),
  );
  const made = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late" } };
  await client.create(configMaps, { ...made, data: { a: "1" } });
  await until("web", isReady);
  const [config] = [...runtime.configs.values()];
  assert.equal(config!.env.find(({ name }) => name === "A")?.value, "1");
  const file = join(config!.mounts.find((one) => one.containerPath === "/v")!.hostPath, "a");
  assert.equal(await readFile(file, "utf8"), "1");
  await client.patch({ ...configMaps, name: "late" }, "merge", { data: { a: "2" } });
  await eventually(async () => (await readFile(file, "utf8")) === "2");
});

test("a type of volume that is not supported is named", async () => {
  await start();
  await create("web", { volumes: [{ name: "v", nfs: { server: "x", path: "/" } }] });
  await until("web", ({ status }) =>
    /type nfs is not supported/.test(status?.containerStatuses?.[0].state.waiting?.message ?? ""),
  );
});

test("an agent that starts again restarts nothing and stops what was deleted meanwhile", async () => {
  const first = scope.child();
  await start(first);
  await create("stays");
  await create("goes");
  await until("stays", isReady);
  await until("goes", isReady);
  await first.close();
  await client.delete({ ...pods, name: "goes" }, { gracePeriodSeconds: 0 });
  const before = runtime.calls.length;
  await start();
  await eventually(() => runtime.sandboxes.size === 1);
  const pod = await until("stays", isReady);
  assert.equal(pod.status.containerStatuses[0].restartCount, 0);
  assert.deepEqual(
    runtime.calls.slice(before).filter((call) => call.startsWith("start")),
    [],
  );
});

test("after a power cut a pod comes back as the same pod", async () => {
  const first = scope.child();
  await start(first);
  const { metadata } = await create("web");
  await until("web", isReady);
  await first.close();
  runtime.containers.clear();
  runtime.sandboxes.clear();
  await start();
  const back = await until(
    "web",
    (pod) => isReady(pod) && pod.status.containerStatuses[0].restartCount === 1,
  );
  assert.equal(back.metadata.uid, metadata.uid);
});

test("a pod has users of its own where the handler can keep them apart, and else waits", async () => {
  const can = (userNamespaces: boolean) => ({ recursiveReadOnlyMounts: false, userNamespaces });
  const handlers = new Map([
    ["", can(true)],
    ["small", can(false)],
  ]);
  runtime = new FakeRuntime({ clock, abilities: { strictGroups: true, handlers } });
  await start();
  const { status } = await client.get({ ...nodes, name: "edge" });
  assert.deepEqual(status.features, { supplementalGroupsPolicy: true });
  assert.deepEqual(status.runtimeHandlers[1], { name: "small", features: can(false) });
  await client.create(resource("node.k8s.io/v1", "runtimeclasses"), {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "small" },
    handler: "small",
  });
  for (const name of ["one", "two"]) await create(name, { hostUsers: false });
  await create("refused", { hostUsers: false, runtimeClassName: "small" });
  for (const name of ["one", "two"]) await until(name, (pod) => isReady(pod) === true);
  const ranges = runtime.sandboxConfigs().map(({ userNamespace }) => userNamespace);
  assert.deepEqual(new Set(ranges.map((one) => one?.hostId)), new Set([65_536, 131_072]));
  const why = /hostUsers: false: the handler small of fake:\/\/1 has no user namespaces for pods/;
  await eventually(async () => {
    const { items } = await client.list(events);
    return items.some((event) => why.test(event["message"] as string));
  });
});
