// What a site costs while nobody asks anything of it: time to Ready, resident memory idle and with 50
// pods, bytes written per idle hour.
import { readFileSync } from "node:fs";
import { importBusybox } from "../test/support/image.ts";
import type { Site } from "../test/support/site.ts";
import type { Row } from "./row.ts";

const residentMiB = (pid: number) =>
  (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096) / 2 ** 20;

const writtenBytes = (pid: number) =>
  Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that the site itself says it took. */
async function timeToReady(site: Site): Promise<number> {
  const said = /Ready in (\d+) ms/.exec(await site.up());
  if (!said) throw new Error("the site did not say that it is Ready");
  return Number(said[1]);
}

/** Restarts the site `times` times; the middle of the times to Ready. */
export async function benchStart(site: Site, times = 5): Promise<Row[]> {
  const measured: number[] = [];
  for (let i = 0; i < times; i++) {
    await site.down();
    measured.push(await timeToReady(site));
  }
  measured.sort((a, b) => a - b);
  const value = measured[Math.floor(times / 2)]!;
  return [
    { name: "process start to Ready, warm", value, unit: "ms", better: "lower", target: 1500 },
  ];
}

/** Watches an idle site for `seconds`. */
export async function benchIdle(site: Site, seconds = 120): Promise<Row[]> {
  // What the start wrote is carried from the journal to the tree half a minute later: it is not idleness.
  await pause(45_000);
  const before = writtenBytes(site.pid);
  await pause(seconds * 1000);
  const perHour = ((writtenBytes(site.pid) - before) / seconds) * 3600;
  return [
    {
      name: "resident memory, idle",
      value: residentMiB(site.pid),
      unit: "MiB",
      better: "lower",
      target: 150,
    },
    {
      name: "written per idle hour",
      value: perHour / 2 ** 20,
      unit: "MiB",
      better: "lower",
      target: 1,
    },
  ];
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

export async function benchPods(site: Site, pods = 50): Promise<Row[]> {
  await importBusybox(site);
  await site.apply(deployment(pods));
  const started = performance.now();
  await site.kubectl(["rollout", "status", "deployment/many", "--timeout=180s"], {
    timeoutMs: 200_000,
  });
  const seconds = (performance.now() - started) / 1000;
  await pause(10_000);
  const memory = residentMiB(site.pid);
  await site.kubectl(["delete", "deployment", "many"]);
  await site.kubectl(["wait", "--for=delete", "pod", "-l", "app=many", "--timeout=120s"], {
    timeoutMs: 130_000,
  });
  return [
    { name: `${pods} pods from apply to available`, value: seconds, unit: "s", better: "lower" },
    {
      name: `resident memory with ${pods} pods`,
      value: memory,
      unit: "MiB",
      better: "lower",
      target: 200,
    },
  ];
}
