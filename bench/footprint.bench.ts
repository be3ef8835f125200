// What Kerb costs while nobody asks anything of it: time to Ready, resident memory of a site, of a joined node, of
// each wing and of a member's agent, memory with 50 pods. Memory stands beside that of a
// Node that has TLS and HTTP/2 loaded and does nothing.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { importBusybox } from "../test/support/image.ts";
import { Machine } from "../test/support/machine.ts";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { heldBy, heldByEach } from "./memory.ts";
import type { Row, Rows } from "./row.ts";

const residentMiB = (pid: number) => heldBy(pid).residentMiB;

async function* memoryRows(of: string, pid: number, looks: number, target?: number): Rows {
  const row: Omit<Row, "name" | "value"> = { unit: "MiB", better: "lower" };
  const baseline = await bareNode();
  const [held] = await heldByEach([pid], looks);
  const { residentMiB: value, proportionalMiB, anonymousMiB, most } = held!;
  yield { ...row, baseline, ...(target && { target }), name: `resident memory ${of}`, value };
  yield { ...row, name: `resident memory ${of}, the most in half a minute`, value: most };
  yield { ...row, name: `proportional memory ${of}`, value: proportionalMiB };
  yield { ...row, name: `memory ${of} that is of no file`, value: anonymousMiB };
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How long after its start a process has collected what the start left. */
const settledMs = 40_000;

async function bareNode() {
  const script = 'require("node:http2"); require("node:tls"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  await rest(2000);
  const value = residentMiB(child.pid!);
  child.kill();
  return { name: "Node alone", value };
}

/** Milliseconds that the site itself says it took. */
async function timeToReady(site: Site): Promise<number> {
  const said = /Ready in (\d+) ms/.exec(await site.up());
  if (!said) throw new Error("the site did not say that it is Ready");
  return Number(said[1]);
}

/** Restarts the site `times` times; the middle of the times to Ready. */
export async function* benchStart(site: Site, times = 5): Rows {
  const measured: number[] = [];
  for (let i = 0; i < times; i++) {
    await site.down();
    measured.push(await timeToReady(site));
  }
  measured.sort((a, b) => a - b);
  const value = measured[Math.floor(times / 2)]!;
  yield { name: "process start to Ready, warm", value, unit: "ms", better: "lower", target: 1500 };
}

export async function* benchIdle(site: Site, waitMs = settledMs): Rows {
  await rest(waitMs);
  yield* memoryRows("of an idle site", site.pid, looksIn(waitMs), 90);
}

/** A bench that only shows that it works waits less. */
const looksIn = (waitMs: number) => (waitMs < settledMs ? 1 : 30);

export async function* benchJoined(waitMs = settledMs): Rows {
  const machine = new Machine();
  await machine.start();
  const site = await startSite("--name", "bench", "--listen", machine.hostAddress);
  try {
    await machine.join(...(await site.joinWords()), "--name", "joined");
    await rest(waitMs);
    const { pid } = JSON.parse(readFileSync(join(machine.directory, "run.json"), "utf8"));
    yield* memoryRows("of a joined node", pid, looksIn(waitMs));
  } finally {
    await machine.remove();
    await site.remove();
  }
}

async function settledSite(waitMs: number, ...args: string[]): Promise<Site> {
  const site = await startSite("--name", "bench", ...args);
  await rest(waitMs);
  return site;
}

/** What each wing, and being a member of a hub, adds to a site with a node. */
export async function* benchWings(waitMs = settledMs): Rows {
  const plain = await settledSite(waitMs);
  const resident = async ({ pid }: Site) =>
    (await heldByEach([pid], looksIn(waitMs)))[0]!.residentMiB;
  const without = await resident(plain);
  const rowOf = async (name: string, site: Site, target?: number): Promise<Row> => {
    const value = (await resident(site)) - without;
    const row = { name: `memory that ${name} adds`, value, unit: "MiB", better: "lower" as const };
    return { ...row, ...(target && { target }) };
  };
  try {
    for (const wing of ["--hub", "--gitops", "--devices", "--ingress", "--vms", "--krustlet"]) {
      const site = await settledSite(waitMs, wing);
      try {
        yield await rowOf(wing, site);
        if (wing !== "--hub") continue;
        await plain.attach(site, "member");
        await rest(waitMs);
        yield await rowOf("membership", plain, 10);
      } finally {
        await site.remove();
      }
    }
  } finally {
    await plain.remove();
  }
}

const deployment = (replicas: number) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "many" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "many" } },
      template: {
        metadata: { labels: { app: "many" } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "main", image: "busybox:kerb", command: ["sleep", "1000000"] }],
        },
      },
    },
  });

export async function* benchPods(site: Site, pods = 50): Rows {
  await importBusybox(site);
  await site.apply(deployment(pods));
  const started = performance.now();
  await site.kubectl(["rollout", "status", "deployment/many", "--timeout=180s"], {
    timeoutMs: 200_000,
  });
  const seconds = (performance.now() - started) / 1000;
  await rest(10_000);
  const memory = residentMiB(site.pid);
  await site.kubectl(["delete", "deployment", "many"]);
  await site.kubectl(["wait", "--for=delete", "pod", "-l", "app=many", "--timeout=120s"], {
    timeoutMs: 130_000,
  });
  yield {
    name: `${pods} pods from apply to available`,
    value: seconds,
    unit: "s",
    better: "lower",
  };
  yield {
    name: `resident memory with ${pods} pods`,
    value: memory,
    unit: "MiB",
    better: "lower",
    target: 200,
  };
}
