// StatefulSets, DaemonSets, Jobs and CronJobs against the server, with the scheduler and a pretended
// kubelet that makes every bound pod ready, ends what is to end, and removes what is deleted.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../test/support/cluster.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { node } from "../scheduler/fixtures.ts";
import { startScheduler } from "../scheduler/scheduler.ts";
import { loadDeviceSelector } from "../server/cel/device-selector.ts";
import { cronJob } from "./cron-job.ts";
import { daemonSet } from "./daemon-set.ts";
import { job } from "./job.ts";
import { isFinished } from "./job/plan.ts";
import { startControllers } from "./runtime.ts";
import { statefulSet } from "./stateful-set.ts";

const namespace = "default";
const pods = resource("v1", "pods");
const claims = resource("v1", "persistentvolumeclaims");
const nodes = resource("v1", "nodes");
const jobs = resource("batch/v1", "jobs");
const cronJobs = resource("batch/v1", "cronjobs");
const sets = resource("apps/v1", "statefulsets");
const daemons = resource("apps/v1", "daemonsets");
const revisions = resource("apps/v1", "controllerrevisions");

let clock: FakeClock;
let cluster: Cluster;
let failing: Set<string>;

/** What a kubelet would do, at once. */
function kubelet({ client, informer, scope }: Cluster) {
  const look = async (pod: KubeObject) => {
    const { name } = pod.metadata;
    const at = { ...pods, namespace, name };
    if (pod.metadata.deletionTimestamp) {
      return client.delete(at, { gracePeriodSeconds: 0 });
    }
    if (!pod.spec.nodeName || (pod.status?.phase ?? "Pending") !== "Pending") return undefined;
    const once = pod.spec.restartPolicy !== "Always";
    const phase = once ? (failing.has(pod.spec.hostname) ? "Failed" : "Succeeded") : "Running";
    const status = once ? "False" : "True";
    const terminated = { exitCode: phase === "Failed" ? 1 : 0 };
    return client.patch({ ...at, subresource: "status" }, "strategic", {
      status: {
        phase,
        conditions: [{ type: "Ready", status, lastTransitionTime: "2026-01-01T00:00:00Z" }],
        ...(once && { containerStatuses: [{ name: "main", state: { terminated } }] }),
      },
    });
  };
  const seen = (pod: KubeObject) => void look(pod).catch(() => {});
  scope.defer(informer(pods).subscribe({ onAdd: seen, onUpdate: seen }));
}

beforeEach(async () => {
  clock = new FakeClock();
  failing = new Set();
  cluster = startCluster({ clock });
  const { client, informer, scope } = cluster;
  const discover = () => Promise.resolve([]);
  await startControllers([statefulSet, daemonSet, job, cronJob], { ...cluster, discover });
  await startScheduler({
    ...cluster,
    informers: informer,
    event: () => {},
    loadSelector: loadDeviceSelector,
  });
  kubelet(cluster);
  // Time passes whenever there was time to do what was due.
  let running = true;
  scope.defer(() => void (running = false));
  void (async () => {
    for (let turn = 0; running; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turn % 20 === 0) await clock.advance(200);
    }
  })();
  for (const name of ["a", "b", "c"]) {
    const { spec, status } = node(name);
    await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec });
    await client.patch({ ...nodes, name, subresource: "status" }, "merge", { status });
  }
});
afterEach(() => cluster.scope.close());

const labels = { app: "test" };
const template = (restartPolicy: string, image = "app:1") => ({
  metadata: { labels },
  spec: { restartPolicy, containers: [{ name: "main", image }] },
});

function make(of: typeof pods, kind: string, name: string, spec: object) {
  const apiVersion = `${of.group}/${of.version}`;
  return cluster.client.create(
    { ...of, namespace },
    { apiVersion, kind, metadata: { name }, spec },
  );
}

const untilNamed = (of: typeof pods, name: string, holds: (object: KubeObject) => boolean) =>
  cluster.until(of, (all) => all.find((o) => o.metadata.name === name && holds(o)));
const podNames = async () =>
  (await cluster.client.list({ ...pods, namespace })).items.map((p) => p.metadata.name).sort();

test("a stateful set grows in order and is updated", async () => {
  await make(sets, "StatefulSet", "db", {
    replicas: 2,
    serviceName: "db",
    selector: { matchLabels: labels },
    template: template("Always"),
  });
  await untilNamed(sets, "db", ({ status }) => status?.availableReplicas === 2);
  assert.deepEqual(await podNames(), ["db-0", "db-1"]);
  const patch = { spec: { template: template("Always", "app:2") } };
  await cluster.client.patch({ ...sets, namespace, name: "db" }, "merge", patch);
  const updated = await untilNamed(
    sets,
    "db",
    ({ status, metadata }) =>
      metadata.generation === 2 &&
      status.observedGeneration === 2 &&
      status.currentRevision === status.updateRevision &&
      status.updatedReplicas === 2,
  );
  assert.equal(updated.status.currentReplicas, 2);
  const history = await cluster.client.list({ ...revisions, namespace });
  assert.deepEqual(history.items.map((each) => each["revision"]).sort(), [1, 2]);
});

test("a stateful set's pods get their claims", async () => {
  await make(sets, "StatefulSet", "db", {
    serviceName: "db",
    selector: { matchLabels: labels },
    template: template("Always"),
    volumeClaimTemplates: [
      {
        metadata: { name: "data" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ],
  });
  const claim = await untilNamed(claims, "data-db-0", () => true);
  assert.deepEqual(claim.metadata.labels, labels);
  const pod = await untilNamed(pods, "db-0", ({ status }) => status.conditions?.length > 0);
  assert.match(pod.status.conditions[0].message, /unbound immediate PersistentVolumeClaims/);
});

test("a daemon set runs on every node, new ones included, and rolls", async () => {
  await make(daemons, "DaemonSet", "agent", {
    selector: { matchLabels: labels },
    template: template("Always"),
  });
  await untilNamed(daemons, "agent", ({ status }) => status?.numberAvailable === 3);
  const { spec, status } = node("d");
  await cluster.client.create(nodes, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "d" },
    spec,
  });
  await cluster.client.patch({ ...nodes, name: "d", subresource: "status" }, "merge", { status });
  await untilNamed(daemons, "agent", (set) => set.status.numberAvailable === 4);
  const patch = { spec: { template: template("Always", "app:2") } };
  await cluster.client.patch({ ...daemons, namespace, name: "agent" }, "merge", patch);
  await untilNamed(
    daemons,
    "agent",
    (set) =>
      set.metadata.generation === 2 &&
      set.status.observedGeneration === 2 &&
      set.status.updatedNumberScheduled === 4 &&
      set.status.numberAvailable === 4,
  );
  const { items } = await cluster.client.list({ ...pods, namespace });
  assert.deepEqual(items.map((pod) => pod.spec.nodeName).sort(), ["a", "b", "c", "d"]);
  assert.ok(items.every((pod) => pod.spec.containers[0].image === "app:2"));
});

test("a job runs to completion and counts every pod once", async () => {
  await make(jobs, "Job", "work", {
    completions: 7,
    parallelism: 3,
    template: template("Never"),
  });
  const done = await untilNamed(jobs, "work", isFinished);
  assert.equal(done.status.succeeded, 7);
  assert.equal(done.status.active, undefined);
  assert.deepEqual(
    done.status.conditions.map(({ type, reason }: any) => `${type} ${reason}`),
    ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"],
  );
  assert.equal((await podNames()).length, 7);
});

test("a job lets go of a pod that it no longer selects, and of its finalizer, and takes it back", async () => {
  const { client } = cluster;
  const pending = template("Never");
  await make(jobs, "Job", "work", {
    parallelism: 1,
    completions: 1,
    template: { ...pending, spec: { ...pending.spec, schedulerName: "nobody" } },
  });
  const first = await cluster.until(pods, ([pod]) => pod);
  const { name } = first!.metadata;
  const at = { ...pods, namespace, name };
  await client.patch(at, "merge", {
    metadata: { labels: { "batch.kubernetes.io/controller-uid": null } },
  });
  const released = await cluster.until(pods, (all) =>
    all.find(({ metadata }) => metadata.name === name && !metadata.finalizers?.length),
  );
  assert.deepEqual(released!.metadata.ownerReferences ?? [], []);
  const others = await cluster.until(pods, (all) => (all.length === 2 ? all : undefined));
  const other = others!.find(({ metadata }) => metadata.name !== name)!;
  await client.patch({ ...pods, namespace, name: other.metadata.name }, "merge", {
    metadata: { ownerReferences: [], finalizers: [] },
  });
  const adopted = await cluster.until(pods, (all) =>
    all.find(
      ({ metadata }) => metadata.name === other.metadata.name && metadata.finalizers?.length,
    ),
  );
  assert.equal(adopted!.metadata.ownerReferences?.[0]?.name, "work");
});

test("an indexed job whose index fails too often fails, and goes when its time is over", async () => {
  failing.add("work-1");
  await make(jobs, "Job", "work", {
    completions: 3,
    parallelism: 3,
    completionMode: "Indexed",
    backoffLimitPerIndex: 1,
    ttlSecondsAfterFinished: 3600,
    template: template("Never"),
  });
  const done = await untilNamed(jobs, "work", isFinished);
  assert.equal(done.status.completedIndexes, "0,2");
  assert.equal(done.status.failedIndexes, "1");
  assert.equal(done.status.failed, 2);
  assert.equal(done.status.conditions.at(-1).reason, "FailedIndexes");
  await cluster.until(jobs, (all) =>
    all.every(({ metadata }) => metadata.deletionTimestamp || metadata.name !== "work"),
  );
});

test("a cron job starts jobs by the clock and keeps the last of them", async () => {
  await make(cronJobs, "CronJob", "tick", {
    schedule: "*/10 * * * *",
    successfulJobsHistoryLimit: 1,
    jobTemplate: { spec: { template: template("Never") } },
  });
  const names = new Set<string>();
  await cluster.until(jobs, (all) => {
    for (const { metadata } of all) names.add(metadata.name);
    return names.size >= 3 && all.length === 1;
  });
  assert.deepEqual([...names].sort().slice(0, 2), ["tick-29453770", "tick-29453780"]);
  const { status } = await untilNamed(cronJobs, "tick", (o) => o.status.lastSuccessfulTime);
  assert.ok(status.lastScheduleTime);
});
