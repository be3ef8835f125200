// From creating a pod to its containers running, as a client sees it, beside the same sandbox and container
// made by raw CRI calls on the same containerd in the same run.
import { join } from "node:path";
import { connectContainerd } from "../src/containers/runtime.ts";
import { silent } from "../src/lib/log.ts";
import { importBusybox } from "../test/support/image.ts";
import type { Site } from "../test/support/site.ts";
import { openApi } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { endRaw, startRaw } from "./raw-pod.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const pods = "/api/v1/namespaces/default/pods";

const podOf = (name: string) =>
  Buffer.from(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: "main", image: "busybox:kerb", command: ["sleep", "1000"] }],
      },
    }),
  );

/** Resolves when a watch shows the pod Running. */
function untilRunning(api: Api, name: string): Promise<void> {
  return new Promise((resolve) => {
    let rest = "";
    const path = `${pods}?watch=1&fieldSelector=metadata.name%3D${name}`;
    const stop = api.stream(path, (chunk) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!;
      if (!lines.some((line) => line && JSON.parse(line).object.status?.phase === "Running"))
        return;
      stop();
      resolve();
    });
  });
}

async function throughApi(site: Site, runs: number): Promise<number[]> {
  const api = openApi(site.kubeconfig, 2);
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const running = untilRunning(api, `start-${i}`);
    await api.read("/version");
    const started = performance.now();
    await api.request("POST", pods, podOf(`start-${i}`));
    await running;
    times.push(performance.now() - started);
    await api.request("DELETE", `${pods}/start-${i}?gracePeriodSeconds=0`);
  }
  api.close();
  return times;
}

const busybox = { image: "busybox:kerb", command: ["sleep", "1000"] };

/** Kerb is stopped meanwhile. */
async function byRawCalls(site: Site, runs: number): Promise<number[]> {
  const runtime = await connectContainerd(join(site.directory, "containerd"), silent);
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    const id = await startRaw(runtime, { site, i, program: busybox });
    times.push(performance.now() - started);
    await endRaw(runtime, id);
  }
  await runtime.close();
  return times;
}

export async function* benchPodStart(site: Site, runs = 15): Rows {
  await importBusybox(site);
  await throughApi(site, 1);
  const kerb = percentile(await throughApi(site, runs), 0.5);
  await site.down("--keep-workloads");
  const raw = percentile(await byRawCalls(site, runs), 0.5);
  yield {
    name: "pod create to Running",
    value: kerb,
    unit: "ms",
    baseline: { name: "raw CRI", value: raw },
    better: "lower",
    target: Math.round(raw * 1.3),
  };
}
