// A thousand Services of ten endpoints each: from the write of an EndpointSlice until the kernel has its rule,
// and what a connection costs then, beside one Service alone.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { startCluster, type Cluster } from "../test/support/cluster.ts";
import { removeRules } from "../src/node/network/nft-changes.ts";
import { runCommand } from "../src/lib/run-command.ts";
import {
  endpointSlicesResource,
  servicesResource,
  startServiceProxy,
} from "../src/node/network/service-proxy.ts";
import { resource } from "../src/client/client.ts";
import { percentile, throughput } from "./row.ts";
import type { Rows } from "./row.ts";

const table = "kerbbench";
const namespace = "default";
const updates = 20;
const connections = 1000;

const endpoints = (i: number, count: number) =>
  Array.from({ length: count }, (_, j) => {
    const n = i * 10 + j;
    return { addresses: [`10.97.${n >> 8}.${n & 255}`], conditions: { ready: true } };
  });

const sliceOf = (i: number, all: object[], port: number) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: `svc-${i}`, labels: { "kubernetes.io/service-name": `svc-${i}` } },
  addressType: "IPv4",
  ports: [{ name: "", port, protocol: "TCP" }],
  endpoints: all,
});

const addressOf = (i: number) => `10.96.${(i + 256) >> 8}.${i & 255}`;

async function addServices({ client }: Cluster, from: number, to: number) {
  await throughput(32, to - from, async (k) => {
    const i = from + k;
    await client.create(
      { ...servicesResource, namespace },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: `svc-${i}` },
        spec: { clusterIP: addressOf(i), ports: [{ port: 80, protocol: "TCP" }] },
      },
    );
    await client.create({ ...endpointSlicesResource, namespace }, sliceOf(i, endpoints(i, 10), 80));
  });
}

/** Hears of rules as the kernel takes them. Not before it has read those there are. */
async function startMonitor() {
  const args = ["-oL", "nft", "monitor", "rules"];
  const monitor = spawn("stdbuf", args, { stdio: ["ignore", "pipe", "ignore"] });
  let all = "";
  let look = () => {};
  monitor.stdout.on("data", (chunk: Buffer) => {
    all += chunk.toString();
    look();
  });
  await new Promise((resolve) => setTimeout(resolve, 3000));
  return {
    has: (text: string) =>
      new Promise<void>((resolve) => (look = () => void (all.includes(text) && resolve()))),
    stop: () => monitor.kill(),
  };
}

async function updateMs({ client }: Cluster, i: number, has: (text: string) => Promise<void>) {
  const fresh = `10.98.${i >> 8}.${i & 255}`;
  const all = [...endpoints(i, 9), { addresses: [fresh], conditions: { ready: true } }];
  const target = { ...endpointSlicesResource, namespace, name: `svc-${i}` };
  const heard = has(fresh);
  const began = performance.now();
  await client.patch(target, "merge", { endpoints: all });
  await heard;
  return performance.now() - began;
}

/** One rule of the same table, by hand. */
async function rawMs(): Promise<number> {
  const began = performance.now();
  await runCommand(
    "nft",
    ["-f", "-"],
    `flush chain ip ${table} by-hand\nadd rule ip ${table} by-hand accept\n`,
  );
  return performance.now() - began;
}

async function onePassUs(address: string): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < connections; i++) {
    const socket = connect(80, address);
    await once(socket, "connect");
    socket.destroy();
  }
  return ((performance.now() - began) / connections) * 1000;
}

/** The best of a few passes, since others work on this machine too. */
async function connectionUs(address: string): Promise<number> {
  const passes: number[] = [];
  for (let i = 0; i < 4; i++) passes.push(await onePassUs(address));
  return Math.min(...passes);
}

export async function* benchServices(count: number): Rows {
  const cluster = startCluster({ serviceCidrs: ["10.96.0.0/16"] });
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { client, clock, log, scope, informers } = cluster;
    await addServices(cluster, 0, 1);
    await client.patch({ ...endpointSlicesResource, namespace, name: "svc-0" }, "merge", {
      endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
      ports: [{ name: "", port, protocol: "TCP" }],
    });
    const informer = (of: typeof servicesResource) => informers.get({ resource: of });
    await startServiceProxy({
      client,
      services: informer(servicesResource),
      slices: informer(endpointSlicesResource),
      pods: informer(resource("v1", "pods")),
      nodeNames: ["bench"],
      zone: () => undefined,
      table,
      ranges: [{ podCidr: "10.97.0.0/16", clusterCidr: "10.97.0.0/16" }],
      clock,
      log,
      scope,
    });
    const alone = await connectionUs(addressOf(0));
    await addServices(cluster, 1, count);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await runCommand("nft", ["add", "chain", "ip", table, "by-hand"]);
    const times: number[] = [];
    const { has, stop } = await startMonitor();
    for (let i = 1; i <= Math.min(updates, count - 1); i++) {
      times.push(await updateMs(cluster, i, has));
    }
    stop();
    const raw: number[] = [];
    for (let i = 0; i < updates; i++) raw.push(await rawMs());
    yield {
      name: `rule update among ${count} Services, median`,
      value: percentile(times, 0.5),
      unit: "ms",
      better: "lower",
      baseline: { name: "nft alone", value: percentile(raw, 0.5) },
      target: 100,
    };
    yield {
      name: `connection among ${count} Services`,
      value: await connectionUs(addressOf(0)),
      unit: "us",
      better: "lower",
      baseline: { name: "one Service", value: alone },
    };
  } finally {
    await cluster.scope.close();
    server.close();
    await removeRules(table, "IPv4");
  }
}
