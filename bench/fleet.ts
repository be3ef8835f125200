// `npm run bench:fleet [-- --sites N --fan-out N]`: one hub and many sites at Open Cluster Management's lease rates.
// What the hub costs while nothing happens, and how long a change takes to the last site and back.
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCount } from "../src/cli/up.ts";
import { resource } from "../src/client/client.ts";
import type { Client } from "../src/client/client.ts";
import { httpsClient } from "../src/client/https.ts";
import { parseKubeconfig } from "../src/client/kubeconfig.ts";
import {
  managedClusters,
  managedClusterSetBindings,
  manifestWorkReplicaSets,
  placements,
} from "../src/hub/kinds/resources.ts";
import { agentUser, clusterGroup, managedClustersGroup } from "../src/hub/names.ts";
import { issueCertificate } from "../src/server/auth/x509.ts";
import { runner } from "../test/support/runner.ts";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import type { AgentsConfig } from "./fleet-agents.ts";
import { residentBytes } from "../test/support/kube-apiserver.ts";
import { printHeader, printRow, throughput } from "./row.ts";
import type { Rows } from "./row.ts";

const options = runner(
  "bench:fleet",
  "One hub and many sites at Open Cluster Management's lease rates: what the hub costs while nothing " +
    "happens, and how long a change takes to the last site and back. Five thousand sites take about " +
    "five minutes.",
  { "--sites 500 --fan-out 100": "a small fleet" },
)
  .option("--sites <n>", "members of the hub", parseCount, 5000)
  .option("--fan-out <n>", "sites that a change is made to", parseCount, 1000)
  .option("--seconds <n>", "how long nothing happens", parseCount, 60)
  .parse()
  .opts<{ sites: number; fanOut: number; seconds: number }>();
const { sites, seconds } = options;
const fanOut = Math.min(options.fanOut, sites);

const dayMs = 86_400_000;
const ocm = "open-cluster-management.io";
const namespace = "team";
const nameOf = (i: number) => `site-${String(i).padStart(5, "0")}`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const clockTicks = 100;

/** Seconds of a processor that the process used. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / clockTicks;
}

/** As the hub would have signed it: five thousand requests are not what is measured. */
function certificates(hub: Site): AgentsConfig["sites"] {
  const pem = readFileSync(join(hub.directory, "pki/ca.pem"), "utf8");
  const [caKey] = /-----BEGIN PRIVATE KEY-----[^]+?-----END PRIVATE KEY-----/.exec(pem)!;
  const issuer = {
    subject: { commonName: "kerb-ca", organizations: ["kerb"] },
    privateKey: createPrivateKey(caKey!),
  };
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return Array.from({ length: sites }, (_, i) => {
    const name = nameOf(i);
    const organizations = [clusterGroup(name), managedClustersGroup];
    const subject = { commonName: agentUser(name, "a1"), organizations };
    const life = { notBeforeMs: 0, notAfterMs: Date.now() + 365 * dayMs };
    return {
      name,
      key,
      cert: issueCertificate({ subject, publicKey, usage: "client", ...life }, issuer),
    };
  });
}

async function acceptAll(client: Client) {
  await throughput(32, sites, async (i) => {
    const labels = i < fanOut ? { wave: "first" } : {};
    await client.create(managedClusters, {
      ...{ apiVersion: `cluster.${ocm}/v1`, kind: "ManagedCluster" },
      metadata: { name: nameOf(i), labels },
      spec: { hubAcceptsClient: true },
    });
  });
  const leases = resource("coordination.k8s.io/v1", "leases");
  const last = { ...leases, namespace: nameOf(sites - 1), name: "managed-cluster-lease" };
  for (;;) {
    const there = await client.get(last).catch(() => undefined);
    if (there && (await client.list(leases)).items.length >= sites) return;
    await pause(1000);
  }
}

interface Agents {
  child: ChildProcess;
  heard: Map<string, number>;
  started: Promise<void>;
}

function startAgents(config: AgentsConfig, folder: string): Agents {
  const file = join(folder, "agents.json");
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const child = fork(join(import.meta.dirname, "fleet-agents.ts"), [file]);
  const heard = new Map<string, number>();
  const started = new Promise<void>((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`the agents ended: ${code}`)));
    child.on("message", (message: any) => {
      if (message.started) resolve();
      if (message.heard) heard.set(message.heard, (heard.get(message.heard) ?? 0) + 1);
      if (message.refused) console.error(`${message.refused} is refused`);
    });
  });
  return { child, heard, started };
}

async function* measureIdle(hub: Site, { heard }: Agents): Rows {
  const count = () => [...heard.values()].reduce((sum, one) => sum + one, 0);
  const [cpu, beats] = [cpuSeconds(hub.pid), count()];
  await pause(seconds * 1000);
  const rate = (count() - beats) / seconds;
  const share = (cpuSeconds(hub.pid) - cpu) / seconds;
  const memory = residentBytes([hub.pid]) / 2 ** 20;
  yield { name: `leases renewed, ${sites} sites`, value: rate, unit: "/s", better: "higher" };
  const name = `hub, ${sites} idle sites`;
  yield { name, value: share, unit: "cores", better: "lower", target: 0.5 };
  yield {
    name: "hub's resident memory",
    value: memory,
    unit: "MiB",
    better: "lower",
    target: 2048,
  };
}

/** Until the replica set says that all have its content. */
async function* measureFanOut(client: Client): Rows {
  await client.create(resource("v1", "namespaces"), {
    ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  await client.create(
    { ...managedClusterSetBindings, namespace },
    {
      ...{ apiVersion: `cluster.${ocm}/v1beta2`, kind: "ManagedClusterSetBinding" },
      ...{ metadata: { name: "global" }, spec: { clusterSet: "global" } },
    },
  );
  const labelSelector = { matchLabels: { wave: "first" } };
  await client.create(
    { ...placements, namespace },
    {
      ...{ apiVersion: `cluster.${ocm}/v1beta1`, kind: "Placement", metadata: { name: "first" } },
      spec: { predicates: [{ requiredClusterSelector: { labelSelector } }] },
    },
  );
  const template = (colour: string) => ({
    manifestWorkTemplate: {
      workload: {
        manifests: [
          {
            ...{ apiVersion: "v1", kind: "ConfigMap", data: { colour } },
            metadata: { name: "paint", namespace: "default" },
          },
        ],
      },
    },
  });
  const target = { ...manifestWorkReplicaSets, namespace };
  const done = async (generation: number) => {
    for (;;) {
      const { status, metadata } = await client.get<any>({ ...target, name: "paint" });
      const { summary } = status ?? {};
      const whole = [summary?.updated, summary?.applied, summary?.available];
      if (metadata.generation >= generation && whole.every((one) => one === fanOut)) {
        const out = status.conditions.find((one: any) => one.type === "PlacementRolledOut");
        if (out?.observedGeneration === undefined || out.observedGeneration >= generation) return;
      }
      await pause(250);
    }
  };
  const measure = async (what: string, generation: number, change: () => Promise<unknown>) => {
    const began = performance.now();
    await change();
    await done(generation);
    const value = (performance.now() - began) / 1000;
    const name = `${what} to ${fanOut} sites`;
    return { name, value, unit: "s", better: "lower" as const, target: 30 };
  };
  yield await measure("new works", 1, () =>
    client.create(target, {
      ...{ apiVersion: `work.${ocm}/v1alpha1`, kind: "ManifestWorkReplicaSet" },
      metadata: { name: "paint" },
      spec: {
        placementRefs: [{ name: "first", rolloutStrategy: { type: "All" } }],
        ...template("red"),
      },
    }),
  );
  yield await measure("a change", 2, () =>
    client.patch({ ...target, name: "paint" }, "merge", { spec: template("blue") }),
  );
}

const folder = mkdtempSync(join(tmpdir(), "kerb-fleet-"));
const hub = await startSite("--name", "centre", "--hub", "--no-node");
let agents: Agents | undefined;
try {
  const connection = parseKubeconfig(readFileSync(hub.kubeconfig, "utf8"));
  const client = httpsClient(connection, { agent: "bench" });
  console.error(`accepting ${sites} sites ...`);
  await acceptAll(client);
  console.error(`connecting them; the hub has ${residentBytes([hub.pid]) >> 20} MiB ...`);
  const { server, ca = "" } = connection;
  agents = startAgents({ server, ca, sites: certificates(hub), perSecond: 200 }, folder);
  await agents.started;
  while (agents.heard.size < sites) await pause(500);
  await pause(10_000);
  console.error(`measuring for ${seconds} s ...`);
  printHeader();
  for await (const row of measureIdle(hub, agents)) printRow(row);
  console.error("fanning out ...");
  for await (const row of measureFanOut(client)) printRow(row);
} finally {
  agents?.child.removeAllListeners("exit");
  agents?.child.kill();
  await hub.remove();
  rmSync(folder, { recursive: true });
}
process.exit(0);
