// Durable creates and status patches a second, with 1, 16 and 256 clients, beside etcd on the same disk.
import type { Site } from "../test/support/site.ts";
import { openApi, samplePod } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { startEtcd } from "./etcd.ts";
import type { Etcd } from "./etcd.ts";
import { throughput } from "./row.ts";
import type { Rows } from "./row.ts";

const pods = "/api/v1/namespaces/default/pods";
const targets = new Map([
  [1, 600],
  [16, 2500],
  [256, 3000],
]);

async function expectCode(code: Promise<number>, wanted: number) {
  if ((await code) !== wanted) throw new Error(`answered ${await code} instead of ${wanted}`);
}

/** Throughput once warm: the first third is done before the watch is started. */
async function sustained(
  clients: number,
  total: number,
  work: (i: number, client: number) => Promise<void>,
) {
  const warm = Math.floor(total / 3);
  await throughput(clients, warm, work);
  return throughput(clients, total - warm, (i, client) => work(i + warm, client));
}

async function* createsBesideEtcd(api: Api, etcd: Etcd, scale: number): Rows {
  for (const [clients, target] of targets) {
    const total = Math.round(Math.min(6000, clients * 100 + 1000) * scale);
    const bodies = Array.from({ length: total }, (_, i) => samplePod(`c${clients}-${i}`));
    const create = (i: number) => expectCode(api.request("POST", pods, bodies[i]), 201);
    const put = (i: number, client: number) => etcd.put(`/${clients}/${i}`, bodies[i]!, client);
    const kerb = await sustained(clients, total, create);
    const raw = await sustained(clients, total, put);
    yield {
      name: `durable pod creates, ${clients} client${clients > 1 ? "s" : ""}`,
      value: kerb,
      unit: "/s",
      baseline: { name: "etcd puts", value: raw },
      better: "higher",
      target,
    };
  }
}

async function* patchesAndDelete(api: Api, scale: number): Rows {
  const total = Math.round(6000 * scale);
  const patch = (i: number) => Buffer.from(JSON.stringify({ status: { message: `m${i}` } }));
  const merge = "application/merge-patch+json";
  const path = (i: number) => `${pods}/c256-${i % Math.round(6000 * scale)}/status`;
  const patches = await sustained(16, total, (i) =>
    expectCode(api.request("PATCH", path(i), patch(i), merge), 200),
  );
  yield {
    name: "status patches, 16 clients",
    value: patches,
    unit: "/s",
    better: "higher",
    target: 3000,
  };
  const before = performance.now();
  await expectCode(api.request("DELETE", `${pods}?gracePeriodSeconds=0`), 200);
  const all = [...targets.keys()].reduce(
    (sum, c) => sum + Math.round(Math.min(6000, c * 100 + 1000) * scale),
    0,
  );
  yield {
    name: "collection deleted",
    value: (all * 1000) / (performance.now() - before),
    unit: "/s",
    better: "higher",
  };
}

export async function* benchWrites(site: Site, scale = 1): Rows {
  const api = openApi(site.kubeconfig, 16);
  const etcd = await startEtcd();
  try {
    yield* createsBesideEtcd(api, etcd, scale);
    yield* patchesAndDelete(api, scale);
  } finally {
    await etcd.stop();
    api.close();
  }
}
