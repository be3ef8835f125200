// `npm run bench:kube -- FILE`: a whole site of Kerb beside Kubernetes' own API server (FILE, built from its
// source) over etcd, on the same machine, one after the other under the same load.
import { resolve } from "node:path";
import { startSite } from "../test/support/site.ts";
import { openApi, samplePod } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { residentBytes, startKubeApiServer } from "../test/support/kube-apiserver.ts";
import type { Peer } from "../test/support/kube-apiserver.ts";
import { runner } from "../test/support/runner.ts";
import { benchWatch } from "./reads.bench.ts";
import { percentile, printHeader, printRow, throughput } from "./row.ts";
import type { Row } from "./row.ts";

const pods = "/api/v1/namespaces/default/pods";
const listed = 10_000;

/** Better means what, and how many times better Kerb is to be. */
const figures: Record<string, Pick<Row, "unit" | "better"> & { times: number }> = {
  "durable pod creates, 1 client": { unit: "/s", better: "higher", times: 2 },
  "durable pod creates, 16 clients": { unit: "/s", better: "higher", times: 4 },
  "durable pod creates, 256 clients": { unit: "/s", better: "higher", times: 4 },
  "status patches, 16 clients": { unit: "/s", better: "higher", times: 8 },
  "list of 10,000 pods": { unit: "ms", better: "lower", times: 4 },
  "memory with 10,000 pods": { unit: "MiB", better: "lower", times: 10 },
  "collection deleted": { unit: "/s", better: "higher", times: 8 },
  "write to the last of 1000 watchers, p99": { unit: "ms", better: "lower", times: 1 },
};

type Tell = (name: string, value: number) => void;

async function expectCode(code: Promise<number>, wanted: number) {
  if ((await code) !== wanted) throw new Error(`answered ${await code} instead of ${wanted}`);
}

/** Throughput of the last two thirds. */
async function sustained(clients: number, total: number, work: (i: number) => Promise<void>) {
  const warm = Math.floor(total / 3);
  await throughput(clients, warm, work);
  return throughput(clients, total - warm, (i) => work(i + warm));
}

async function writes(api: Api, tell: Tell) {
  for (const clients of [1, 16, 256]) {
    const total = Math.min(6000, clients * 100 + 1000);
    const bodies = Array.from({ length: total }, (_, i) => samplePod(`c${clients}-${i}`));
    const create = (i: number) => expectCode(api.request("POST", pods, bodies[i]), 201);
    const name = `durable pod creates, ${clients} client${clients > 1 ? "s" : ""}`;
    tell(name, await sustained(clients, total, create));
  }
  const merge = "application/merge-patch+json";
  const patch = (i: number) => Buffer.from(JSON.stringify({ status: { message: `m${i}` } }));
  const patched = await sustained(16, 3000, (i) =>
    expectCode(api.request("PATCH", `${pods}/c256-${i}/status`, patch(i), merge), 200),
  );
  tell("status patches, 16 clients", patched);
}

async function reads(api: Api, { pids }: Pick<Peer, "pids">, tell: Tell) {
  await expectCode(api.request("DELETE", `${pods}?gracePeriodSeconds=0`), 200);
  await throughput(64, listed, (i) =>
    expectCode(api.request("POST", pods, samplePod(`list-${i}`, 4000)), 201),
  );
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await api.read(pods);
    times.push(performance.now() - started);
  }
  tell("list of 10,000 pods", percentile(times, 0.5));
  tell("memory with 10,000 pods", residentBytes(pids) / 2 ** 20);
  const started = performance.now();
  await expectCode(api.request("DELETE", `${pods}?gracePeriodSeconds=0`), 200);
  tell("collection deleted", (listed * 1000) / (performance.now() - started));
}

async function measure(peer: Pick<Peer, "kubeconfig" | "pids">, tell: Tell) {
  const api = openApi(peer.kubeconfig, 16);
  await writes(api, tell);
  await reads(api, peer, tell);
  api.close();
  for await (const { name, value } of benchWatch(peer)) tell(name, value);
}

function rowOf(name: string, value: number, theirs: number): Row {
  const { unit, better, times } = figures[name]!;
  const baseline = { name: "kube-apiserver", value: theirs };
  const target = Math.round(better === "higher" ? theirs * times : theirs / times);
  return { name, value, unit, better, baseline, target };
}

const [file] = runner(
  "bench:kube",
  "A whole site of Kerb beside Kubernetes' own API server over Debian's etcd, one after the other " +
    "under the same load: writes, lists, memory, watchers.",
  { "./kube-apiserver": "about two minutes" },
)
  .argument("<file>", "kube-apiserver, built from its source")
  .parse().args;
const theirs = new Map<string, number>();
console.error("measuring kube-apiserver ...");
const peer = await startKubeApiServer(resolve(file!));
await measure(peer, (name, value) => {
  console.error(`  ${name}: ${value.toFixed(1)} ${figures[name]!.unit}`);
  theirs.set(name, value);
}).finally(() => peer.stop());
console.error("measuring kerb ...");
const site = await startSite("--name", "bench");
printHeader();
await measure({ kubeconfig: site.kubeconfig, pids: [site.pid] }, (name, value) =>
  printRow(rowOf(name, value, theirs.get(name)!)),
).finally(() => site.remove());
