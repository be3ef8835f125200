// From creating a pod to its containers running, as a client sees it, beside the same sandbox and container
// made by raw CRI calls on the same containerd, in turns: a start takes half as long again while a pod before it is
// taken down, so each waits until the one before is gone.
import { join } from "node:path";
import { connectContainerd } from "../src/containers/runtime.ts";
import type { ContainerdRuntime } from "../src/containers/runtime.ts";
import { silent } from "../src/lib/log.ts";
import { eventually } from "../test/support/eventually.ts";
import { importBusybox } from "../test/support/image.ts";
import type { Site } from "../test/support/site.ts";
import { openApi, untilPod } from "./api-load.ts";
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

/** Ends when the pod is gone. */
async function throughApi(api: Api, name: string): Promise<number> {
  const running = untilPod(api, name, (_type, { status }) => status?.phase === "Running");
  await api.read("/version");
  const started = performance.now();
  await api.request("POST", pods, podOf(name));
  await running;
  const ms = performance.now() - started;
  const gone = untilPod(api, name, (type) => type === "DELETED");
  await api.read("/version");
  await api.request("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
  await gone;
  return ms;
}

const busybox = { image: "busybox:kerb", command: ["sleep", "1000"] };

async function byRawCalls(runtime: ContainerdRuntime, site: Site, i: number): Promise<number> {
  const started = performance.now();
  const id = await startRaw(runtime, { site, i, program: busybox });
  const ms = performance.now() - started;
  await endRaw(runtime, id);
  return ms;
}

export async function* benchPodStart(site: Site, runs = 15): Rows {
  await importBusybox(site);
  const api = openApi(site.kubeconfig, 2);
  const runtime = await connectContainerd(join(site.directory, "containerd"), silent);
  const kerb: number[] = [];
  const raw: number[] = [];
  // In turns; the first of each makes what is made once.
  for (let i = 0; i <= runs; i++) {
    const ours = await throughApi(api, `start-${i}`);
    // The API forgets it before its sandbox is removed.
    await eventually(async () => (await runtime.pods()).size === 0, "a node without pods");
    const theirs = await byRawCalls(runtime, site, i);
    if (i === 0) continue;
    kerb.push(ours);
    raw.push(theirs);
  }
  await runtime.close();
  api.close();
  const baseline = percentile(raw, 0.5);
  yield {
    name: "pod create to Running",
    value: percentile(kerb, 0.5),
    unit: "ms",
    baseline: { name: "raw CRI", value: baseline },
    better: "lower",
    target: Math.round(baseline * 1.3),
  };
}
