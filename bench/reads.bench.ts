// A list of 10,000 pods (70 MB), and how long one event takes to reach the last of 1,000 watchers.
import { readFileSync } from "node:fs";
import type { Site } from "../test/support/site.ts";
import { openApi, samplePod } from "./api-load.ts";
import { percentile, throughput } from "./row.ts";
import type { Rows } from "./row.ts";

const pods = "/api/v1/namespaces/default/pods";
const configMaps = "/api/v1/namespaces/default/configmaps";

/** Peak resident bytes of a process since the last reset. */
function peakBytes(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]) * 1024;
}

export async function* benchList(site: Site, count = 10_000): Rows {
  const api = openApi(site.kubeconfig, 8);
  await throughput(64, count, async (i) => {
    await api.request("POST", pods, samplePod(`list-${i}`, 4000));
  });
  const times: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    bytes = (await api.read(pods)).length;
    times.push(performance.now() - started);
  }
  const peak = peakBytes(site.pid);
  await api.request("DELETE", `${pods}?gracePeriodSeconds=0`);
  api.close();
  const size = `${count} pods, ${Math.round(bytes / 1e6)} MB`;
  yield {
    name: `list of ${size}`,
    value: percentile(times, 0.5),
    unit: "ms",
    better: "lower",
    target: 500,
  };
  yield {
    name: "peak memory of it",
    value: peak / 2 ** 20,
    unit: "MiB",
    better: "lower",
    target: 400,
  };
}

export async function* benchWatch(
  site: Pick<Site, "kubeconfig">,
  watchers = 1000,
  events = 50,
): Rows {
  const api = openApi(site.kubeconfig, 20);
  let seen = 0;
  let wake = () => {};
  const stops = Array.from({ length: watchers }, () =>
    api.stream(`${configMaps}?watch=1&fieldSelector=metadata.name%3Dfan`, () => {
      seen += 1;
      if (seen >= watchers) wake();
    }),
  );
  const object = (n: number) =>
    Buffer.from(
      JSON.stringify({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "fan" },
        data: { n: String(n) },
      }),
    );
  const times: number[] = [];
  for (let n = 0; n <= events; n++) {
    seen = 0;
    const all = new Promise<void>((resolve) => (wake = resolve));
    const started = performance.now();
    if (n === 0) await api.request("POST", configMaps, object(n));
    else await api.request("PUT", `${configMaps}/fan`, object(n));
    await all;
    // The first events go out while watches are still being opened.
    if (n > 5) times.push(performance.now() - started);
  }
  for (const stop of stops) stop();
  api.close();
  yield {
    name: `write to the last of ${watchers} watchers, p99`,
    value: percentile(times, 0.99),
    unit: "ms",
    better: "lower",
    target: 50,
  };
}
