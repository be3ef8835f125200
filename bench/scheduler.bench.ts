// Pods scheduled per second on simulated nodes: from the first pod the scheduler sees to the last binding
// on disk, server and store in the same process. Runs by itself too: `node bench/scheduler.bench.ts`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCluster, type Cluster } from "../test/support/cluster.ts";
import { eventRecorder } from "../src/client/events.ts";
import { systemClock } from "../src/lib/clock.ts";
import { silent } from "../src/lib/log.ts";
import { seededRandom } from "../src/lib/random.ts";
import { inputs } from "../src/scheduler/cache.ts";
import { info, node, pod, snapshotOf } from "../src/scheduler/fixtures.ts";
import { plan } from "../src/scheduler/plan.ts";
import { startScheduler } from "../src/scheduler/scheduler.ts";
import { loadDeviceSelector } from "../src/server/cel/device-selector.ts";
import { openLmdbStore } from "../src/store/lmdb.ts";
import { printRows, throughput, type Rows } from "./row.ts";

interface Size {
  nodes: number;
  pods: number;
}

const requests = { cpu: "100m", memory: "128Mi" };
const zoned = (i: number) => ({ labels: { "topology.kubernetes.io/zone": `zone-${i % 3}` } });

async function addNodes({ client }: Cluster, count: number) {
  await throughput(64, count, async (i) => {
    const { status, metadata, ...rest } = node(`node-${i}`, zoned(i));
    const { name, labels } = metadata;
    await client.create(inputs.nodes, { ...rest, metadata: { name, labels: labels! } });
    await client.patch({ ...inputs.nodes, name, subresource: "status" }, "merge", { status });
  });
}

async function addPods({ client }: Cluster, count: number) {
  await throughput(64, count, async (i) => {
    const { spec } = pod("", { requests });
    await client.create(
      { ...inputs.pods, namespace: "default" },
      { apiVersion: "v1", kind: "Pod", metadata: { name: `pod-${i}` }, spec },
    );
  });
}

/** Pods a second, with every binding durable. */
async function bound({ nodes, pods }: Size): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "kerb-scheduler-"));
  const store = await openLmdbStore(directory, { clock: systemClock, log: silent });
  const cluster = startCluster({ store });
  try {
    const { client, clock, random, log, scope, informer } = cluster;
    await addNodes(cluster, nodes);
    await addPods(cluster, pods);
    await Promise.all(Object.values(inputs).map((input) => informer(input).synced()));
    const component = "default-scheduler";
    const event = eventRecorder({ client, clock, random, log, component });
    const started = performance.now();
    await startScheduler({
      client,
      clock,
      random,
      log,
      scope,
      informers: informer,
      event,
      loadSelector: loadDeviceSelector,
    });
    let done = 0;
    await new Promise<void>((resolve) => {
      const count = () => ++done === pods && resolve();
      informer(inputs.pods).subscribe({
        onUpdate: (now, before) => now.spec.nodeName && !before.spec.nodeName && count(),
      });
    });
    return (pods * 1000) / (performance.now() - started);
  } finally {
    await cluster.scope.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Microseconds a plan, without any writing. */
function planned({ nodes, pods }: Size): number {
  const snapshot = snapshotOf(Array.from({ length: nodes }, (_, i) => node(`node-${i}`, zoned(i))));
  const waiting = Array.from({ length: pods }, (_, i) => info(`pod-${i}`, { requests }));
  const random = seededRandom(1);
  const started = performance.now();
  for (const each of waiting) {
    const result = plan(each, snapshot, random);
    if ("node" in result) snapshot.place(each, result.node);
  }
  return ((performance.now() - started) * 1000) / pods;
}

export async function* benchScheduler(size: Size = { nodes: 1000, pods: 5000 }): Rows {
  const of = `${size.pods} pods on ${size.nodes} nodes`;
  yield {
    name: `scheduling plan, ${of}`,
    value: planned(size),
    unit: "us",
    better: "lower",
    target: 300,
  };
  yield {
    name: `scheduled and bound, ${of}`,
    value: await bound(size),
    unit: "pods/s",
    better: "higher",
    target: 2000,
  };
}

if (import.meta.main) await printRows(benchScheduler());
