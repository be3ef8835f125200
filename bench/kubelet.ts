// `npm run bench:kubelet -- --kubelet FILE [--runs N]`: Kerb's agent on a joined machine beside a real kubelet, each with a
// containerd of its own of the same version, on one API server, in turn in the same run. FILE is the kubelet of
// Kubernetes 1.36, built from its source.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseCount } from "../src/cli/up.ts";
import { startContainerd, stopContainerd } from "../src/containers/containerd.ts";
import { socketOf } from "../src/containers/socket.ts";
import { ensurePauseImage } from "../src/containers/images.ts";
import { shareNamespaceFolder } from "../src/containers/network-namespace.ts";
import { connectContainerd } from "../src/containers/runtime.ts";
import { systemClock } from "../src/lib/clock.ts";
import { silent } from "../src/lib/log.ts";
import { cniConflist } from "../src/node/network/site-network.ts";
import { run } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import { busyboxArchive } from "../test/support/image.ts";
import { atInterrupt } from "../test/support/interrupt.ts";
import { Machine } from "../test/support/machine.ts";
import { runner } from "../test/support/runner.ts";
import { freePort, startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { openApi, untilPod } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { heldByEach, withoutMoreCertificates } from "./memory.ts";
import type { Held } from "./memory.ts";
import { percentile, printHeader, printRow } from "./row.ts";
import type { Row, Rows } from "./row.ts";

const {
  kubelet,
  runs,
  settle: settleSeconds,
} = runner(
  "bench:kubelet",
  "Kerb's agent on a joined machine beside a real kubelet, each with a containerd of its own, on one " +
    "API server, in turn: a pod's start and end, and memory with pods and without. About five minutes, as root.",
  { "--kubelet ./kubelet": "what it needs" },
)
  .requiredOption("--kubelet <file>", "the kubelet of Kubernetes 1.36, built from its source")
  .option("--runs <n>", "pods on each", parseCount, 15)
  .option("--settle <seconds>", "how long they rest before memory is measured", parseCount, 60)
  .parse()
  .opts<{ kubelet: string; runs: number; settle: number }>();
const pods = "/api/v1/namespaces/default/pods";
const peer = "kubelet";
const podsHeld = 10;

interface Peer {
  pid: number;
  stop(): Promise<void>;
}

const kubeletConfig = (directory: string, port: number) => ({
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  failCgroupV1: false,
  cgroupDriver: "cgroupfs",
  cgroupsPerQOS: false,
  enforceNodeAllocatable: [],
  failSwapOn: false,
  makeIPTablesUtilChains: false,
  oomScoreAdj: 0,
  address: "127.0.0.1",
  port,
  healthzPort: 0,
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: "AlwaysAllow" },
  containerRuntimeEndpoint: `unix://${socketOf(directory)}`,
});

async function startRuntime(directory: string, image: string) {
  mkdirSync(join(directory, "net.d"), { recursive: true });
  const conflist = cniConflist({
    name: peer,
    podCidrs: ["10.250.0.0/24"],
    addresses: "host-local",
    dataDirectory: join(directory, "cni"),
  });
  writeFileSync(join(directory, "net.d/10-bench.conflist"), JSON.stringify(conflist));
  const paths = {
    binary: "/usr/bin/containerd",
    runc: "/usr/sbin/runc",
    cniPlugins: "/usr/lib/cni",
    directory,
  };
  await shareNamespaceFolder();
  await startContainerd(paths, systemClock);
  const runtime = await connectContainerd(directory, silent);
  await ensurePauseImage(directory, runtime);
  await run("ctr", ["--address", socketOf(directory), "-n", "k8s.io", "images", "import", image]);
  return runtime;
}

async function startPeer(site: Site, directory: string, image: string): Promise<Peer> {
  const runtime = await startRuntime(directory, image);
  const config = join(directory, "kubelet.json");
  writeFileSync(config, JSON.stringify(kubeletConfig(directory, await freePort())));
  const output = openSync(join(directory, "kubelet.log"), "a");
  const child: ChildProcess = spawn(
    resolve(kubelet),
    [
      ...["--config", config, "--kubeconfig", site.kubeconfig],
      ...["--hostname-override", peer, "--node-ip", "127.0.0.1"],
      ...["--root-dir", join(directory, "root-dir"), "--cert-dir", join(directory, "certs")],
    ],
    { stdio: ["ignore", output, output] },
  );
  return {
    pid: child.pid!,
    async stop() {
      child.kill();
      for (const { sandboxes } of (await runtime.pods()).values()) {
        for (const { id } of sandboxes) {
          await runtime.stopSandbox(id);
          await runtime.removeSandbox(id);
        }
      }
      await runtime.close();
      await stopContainerd(directory, systemClock);
      await run("sh", ["-c", `umount -l $(grep -o '${directory}/[^ ]*' /proc/mounts) || true`]);
    },
  };
}

const podOf = (name: string, nodeName: string) =>
  Buffer.from(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: {
        nodeName,
        tolerations: [{ operator: "Exists" }],
        containers: [
          {
            name: "main",
            image: "busybox:kerb",
            command: ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1000 & wait; done"],
          },
        ],
      },
    }),
  );

interface Times {
  start: number[];
  end: number[];
}

async function one(api: Api, nodeName: string, i: number, times: Times) {
  const name = `${nodeName}-${i}`;
  const running = untilPod(api, name, (_type, { status }) => status?.phase === "Running");
  await api.read("/version");
  const created = performance.now();
  await api.request("POST", pods, podOf(name, nodeName));
  await running;
  times.start.push(performance.now() - created);
  const gone = untilPod(api, name, (type) => type === "DELETED");
  await api.read("/version");
  const deleted = performance.now();
  await api.request("DELETE", `${pods}/${name}`);
  await gone;
  times.end.push(performance.now() - deleted);
}

/** Milliseconds of a processor since its start; the kernel counts them in hundredths of a second. */
function busyMs(pid: number): number {
  const [, counted] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const [user, system] = counted!.split(" ").slice(11);
  return (Number(user) + Number(system)) * 10;
}

/** What both take of a processor while they rest. */
async function* rest(of: string, own: number, other: number): Rows {
  const before = [own, other].map(busyMs);
  await setTimeout(settleSeconds * 1000);
  const [value, theirs] = [own, other].map((pid, i) => (busyMs(pid) - before[i]!) / settleSeconds);
  yield {
    name: `processor time a second, ${of}`,
    value: value!,
    unit: "ms",
    baseline: { name: "kubelet 1.36", value: theirs! },
    better: "lower",
  };
}

/** Both hold what they hold with pods that run, and when those have been there for a while. */
async function* memory(site: Site, own: number, other: number): Rows {
  const names = Array.from({ length: podsHeld }, (_, i) =>
    ["agent", peer].map((node) => `${node}-held-${i}`),
  ).flat();
  const api = openApi(site.kubeconfig, 2);
  const phases = async () =>
    (await site.get("pods")).items.map(({ status }: any) => status?.phase ?? "");
  for (const name of names) await api.request("POST", pods, podOf(name, name.split("-")[0]!));
  await eventually(
    async () => (await phases()).every((one: string) => one === "Running"),
    "pods that run",
  );
  const busy = `with ${podsHeld} pods`;
  yield* rest(busy, own, other);
  yield* memoryRows(busy, own, other);
  for (const name of names) await api.request("DELETE", `${pods}/${name}`);
  await eventually(async () => (await phases()).length === 0, "pods that are gone");
  api.close();
  const idle = "of an idle node";
  yield* rest(idle, own, other);
  yield* memoryRows(idle, own, other);
}

async function* memoryRows(of: string, own: number, other: number): Rows {
  const [mine, theirs] = await heldByEach([own, other]);
  const row = (name: string, key: keyof Held): Row => ({
    name: `${name}, ${of}`,
    value: mine![key],
    unit: "MiB",
    baseline: { name: "kubelet 1.36", value: theirs![key] },
    better: "lower",
  });
  yield { ...row("resident memory", "residentMiB"), target: theirs!.residentMiB / 2 };
  yield row("proportional memory", "proportionalMiB");
  yield row("memory that is of no file", "anonymousMiB");
}

async function* compare(site: Site, nodeName: string): Rows {
  const api = openApi(site.kubeconfig, 2);
  const own: Times = { start: [], end: [] };
  const other: Times = { start: [], end: [] };
  for (let i = 0; i <= runs; i++) {
    await one(api, nodeName, i, own);
    await one(api, peer, i, other);
    // The first of each makes what is made once.
    if (i === 0) for (const list of [own.start, own.end, other.start, other.end]) list.length = 0;
  }
  api.close();
  const row = (name: string, key: keyof Times): Row => ({
    name,
    value: percentile(own[key], 0.5),
    unit: "ms",
    baseline: { name: "kubelet 1.36", value: percentile(other[key], 0.5) },
    better: "lower",
  });
  yield row("pod create to Running", "start");
  yield row("pod delete to gone", "end");
}

withoutMoreCertificates();
const directory = mkdtempSync(join(tmpdir(), "kerb-bench-kubelet-"));
const image = join(directory, "busybox.tar");
writeFileSync(image, busyboxArchive());
const machine = new Machine();
await machine.start();
const site = await startSite("--name", "bench", "--listen", machine.hostAddress);
let other: Peer | undefined;
try {
  await machine.join(...(await site.joinWords()), "--name", "agent");
  await machine.kerb("image", "import", image);
  other = await startPeer(site, join(directory, "peer"), image);
  atInterrupt(other.stop);
  const ready = async () => {
    const { status } = await site.get("node", peer);
    return status.conditions.some((c: any) => c.type === "Ready" && c.status === "True");
  };
  await eventually(ready, "a kubelet that is Ready");
  printHeader();
  for await (const row of compare(site, "agent")) printRow(row);
  const { pid } = JSON.parse(readFileSync(join(machine.directory, "run.json"), "utf8"));
  for await (const row of memory(site, pid, other.pid)) printRow(row);
} finally {
  await other?.stop();
  await machine.remove();
  await site.remove();
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
