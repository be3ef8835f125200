// `npm run bench:kube -- FILE`: a whole site of Kerb beside Kubernetes' own API server (FILE, built from its
// source) over etcd, on the same machine, one after the other under the same load.
import { resolve } from "node:path";
import { startSite } from "../test/support/site.ts";
import { openApi, samplePod } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { residentBytes, startKubeApiServer } from "../test/support/kube-apiserver.ts";
import type { Peer } from "../test/support/kube-apiserver.ts";
import { benchWatch } from "./reads.bench.ts";
import { percentile, printRows, throughput } from "./row.ts";
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

async function expectCode(code: Promise<number>, wanted: number) {
  if ((await code) !== wanted) throw new Error(`answered ${await code} instead of ${wanted}`);
}

/** Throughput of the last two thirds. */
async function sustained(clients: number, total: number, work: (i: number) => Promise<void>) {
  const warm = Math.floor(total / 3);
  await throughput(clients, warm, work);
  return throughput(clients, total - warm, (i) => work(i + warm));
}

async function writes(api: Api, found: Record<string, number>) {
  for (const clients of [1, 16, 256]) {
    const total = Math.min(6000, clients * 100 + 1000);
    const bodies = Array.from({ length: total }, (_, i) => samplePod(`c${clients}-${i}`));
    const create = (i: number) => expectCode(api.request("POST", pods, bodies[i]), 201);
    const name = `durable pod creates, ${clients} client${clients > 1 ? "s" : ""}`;
    found[name] = await sustained(clients, total, create);
  }
  const merge = "application/merge-patch+json";
  const patch = (i: number) => Buffer.from(JSON.stringify({ status: { message: `m${i}` } }));
  found["status patches, 16 clients"] = await sustained(16, 3000, (i) =>
    expectCode(api.request("PATCH", `${pods}/c256-${i}/status`, patch(i), merge), 200),
  );
}

async function reads(api: Api, { pids }: Pick<Peer, "pids">, found: Record<string, number>) {
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
  found["list of 10,000 pods"] = percentile(times, 0.5);
  found["memory with 10,000 pods"] = residentBytes(pids) / 2 ** 20;
  const started = performance.now();
  await expectCode(api.request("DELETE", `${pods}?gracePeriodSeconds=0`), 200);
  found["collection deleted"] = (listed * 1000) / (performance.now() - started);
}

async function measure(peer: Pick<Peer, "kubeconfig" | "pids">) {
  const found: Record<string, number> = {};
  const api = openApi(peer.kubeconfig, 16);
  await writes(api, found);
  await reads(api, peer, found);
  api.close();
  const [watch] = await benchWatch(peer);
  found[watch!.name] = watch!.value;
  return found;
}

const program = process.argv[2];
if (!program) throw new Error("which kube-apiserver? npm run bench:kube -- FILE");
console.error("measuring kube-apiserver ...");
const peer = await startKubeApiServer(resolve(program));
const theirs = await measure(peer).finally(() => peer.stop());
console.error("measuring kerb ...");
const site = await startSite("--name", "bench");
const ours = await measure({ kubeconfig: site.kubeconfig, pids: [site.pid] }).finally(() =>
  site.remove(),
);
printRows(
  Object.entries(figures).map(([name, { unit, better, times }]) => ({
    name,
    value: ours[name]!,
    unit,
    better,
    baseline: { name: "kube-apiserver", value: theirs[name]! },
    target: Math.round(better === "higher" ? theirs[name]! * times : theirs[name]! / times),
  })),
);
