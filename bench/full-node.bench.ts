// As many pods of nothing as a node takes, from one apply until all run, beside as many by raw CRI calls, all at once, on
// the same containerd in the same run.
import { join } from "node:path";
import { pauseImage } from "../src/containers/containerd.ts";
import { connectContainerd } from "../src/containers/runtime.ts";
import { silent } from "../src/lib/log.ts";
import { podsMax } from "../src/node/machine/machine.ts";
import type { Site } from "../test/support/site.ts";
import { endRaw, startRaw } from "./raw-pod.ts";
import type { Rows } from "./row.ts";

const labels = { app: "full" };
const selected = ["-l", "app=full"];
const pause = { name: "main", image: pauseImage, imagePullPolicy: "Never" };
const waitMs = 310_000;

const deployment = (pods: number) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "full" },
    spec: {
      replicas: pods,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [pause] },
      },
    },
  });

async function throughApi(site: Site, pods: number): Promise<number> {
  const started = performance.now();
  await site.apply(deployment(pods));
  await site.kubectl(["rollout", "status", "deployment/full", "--timeout=300s"], {
    timeoutMs: waitMs,
  });
  const seconds = (performance.now() - started) / 1000;
  const { items } = await site.get("pods", ...selected);
  const running = items.filter(({ status }: any) => status.phase === "Running").length;
  if (running !== pods) throw new Error(`${running} of ${pods} pods are Running`);
  await site.kubectl(["delete", "deployment", "full"]);
  const gone = ["wait", "--for=delete", "pod", ...selected, "--timeout=300s"];
  await site.kubectl(gone, { timeoutMs: waitMs });
  return seconds;
}

async function byRawCalls(site: Site, pods: number): Promise<number> {
  const runtime = await connectContainerd(join(site.directory, "containerd"), silent);
  const program = { image: pauseImage, command: [] };
  const started = performance.now();
  const ids = await Promise.all(
    Array.from({ length: pods }, (_, i) => startRaw(runtime, { site, i, program })),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(ids.map((id) => endRaw(runtime, id)));
  await runtime.close();
  return seconds;
}

export async function* benchFullNode(site: Site, pods = podsMax): Rows {
  const value = await throughApi(site, pods);
  await site.down("--keep-workloads");
  const baseline = { name: "raw CRI, all at once", value: await byRawCalls(site, pods) };
  const name = `${pods} pods of pause from apply to available`;
  yield { name, value, unit: "s", baseline, better: "lower", target: 60 };
}
