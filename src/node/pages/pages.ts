// What a kubelet shows on its port: stats, metrics, its pods, its settings, the machine's logs. Nobody listens
// there: whoever asks comes through the API server, which has judged the request, and the connection that
// leads to this node. So the port is a number, and the pages are served on streams.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { availableParallelism } from "node:os";
import { duplexPair } from "node:stream";
import type { Duplex } from "node:stream";
import type { Scope } from "../../lib/scope.ts";
import type { AgentContext } from "../context.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { Family } from "../../lib/exposition.ts";
import { exposition } from "../../lib/exposition.ts";
import { ownMetrics } from "./own-metrics.ts";
import { sendLogFile } from "./log-files.ts";
import { Measurer } from "./measures.ts";
import { containerMetrics, resourceMetrics } from "./resource-metrics.ts";
import { measureVolumes } from "./volume-measures.ts";
import { volumeMetrics } from "./volume-metrics.ts";
import { statsSummary } from "./stats-summary.ts";

/** As kubelet's; a number to ask for, not a port that is open. */
export const kubeletPort = 10_250;

export interface PagesOptions {
  context: AgentContext;
  workers: () => Iterable<PodWorker>;
  config: Record<string, any>;
  scope: Scope;
}

/** What wings tell of what they run. */
async function partFamilies({ parts }: AgentContext, measurer: Measurer): Promise<Family[]> {
  const telling = [...parts.values()].filter(({ families }) => families);
  if (telling.length === 0) return [];
  const { pods } = await measurer.look();
  const byUid = new Map(pods.map((one) => [one.pod.metadata.uid, one]));
  const used = (uid: string) => {
    const found = byUid.get(uid);
    if (!found) return undefined;
    const sum = (key: "cpuNanoseconds" | "workingSetBytes") =>
      found.containers.reduce((total, { stats }) => total + stats[key], 0);
    const { network } = found;
    const total = {
      cpuNanoseconds: sum("cpuNanoseconds"),
      workingSetBytes: sum("workingSetBytes"),
    };
    return { ...total, ...(network && { network }) };
  };
  return (await Promise.all(telling.map((part) => part.families!(used)))).flat();
}

type Page = (response: ServerResponse, path: string) => Promise<void> | void;

const textType = "text/plain; version=0.0.4; charset=utf-8";

const json = (response: ServerResponse, body: unknown) =>
  void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));

const metrics = (response: ServerResponse, families: Family[], counted = "") =>
  void response.writeHead(200, { "content-type": textType }).end(exposition(families) + counted);

function pagesOf({ context, workers, config }: PagesOptions): Record<string, Page> {
  const { csi, directories, facts, memoryBytes } = context;
  const measurer = new Measurer({ ...context, directory: directories.root, workers });
  const machine = { cores: availableParallelism(), memoryBytes };
  return {
    "/healthz": (response) =>
      void response.writeHead(200, { "content-type": "text/plain" }).end("ok"),
    "/pods": (response) => {
      const items = [...workers()].map(({ pod }) => pod);
      json(response, { kind: "PodList", apiVersion: "v1", metadata: {}, items });
    },
    "/configz": (response) => json(response, { kubeletconfig: config }),
    "/stats/summary": async (response) =>
      json(response, statsSummary(facts.nodeName, await measurer.look())),
    "/metrics": async (response) => {
      const all = [...workers()];
      const pods = await Promise.all(
        all.map(async ({ pod, volumes }) => ({ pod, volumes: await measureVolumes(csi, volumes) })),
      );
      const families = [
        ...ownMetrics(facts.nodeName, all),
        ...volumeMetrics(pods),
        ...(await partFamilies(context, measurer)),
      ];
      metrics(response, families, await context.metrics.work.metrics());
    },
    "/metrics/probes": async (response) =>
      metrics(response, [], await context.metrics.probes.metrics()),
    "/metrics/resource": async (response) =>
      metrics(response, resourceMetrics(await measurer.look())),
    "/metrics/cadvisor": async (response) =>
      metrics(response, containerMetrics(await measurer.look(), machine)),
  };
}

async function answer(pages: Record<string, Page>, message: IncomingMessage, out: ServerResponse) {
  const path = decodeURIComponent((message.url ?? "/").split("?")[0]!);
  const log = /^\/logs(?:\/(.*))?$/.exec(path);
  const page: Page | undefined = log
    ? (response) => sendLogFile(response, log[1] ?? "")
    : pages[path.length > 1 ? path.replace(/\/$/, "") : path];
  if (!page) {
    out.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
  } else if (message.method !== "GET" && message.method !== "HEAD") {
    out.writeHead(405, { allow: "GET", "content-type": "text/plain" }).end("405 not allowed\n");
  } else await page(out, path);
}

/** Opens connections to the pages. */
export function openPages(options: PagesOptions): () => Duplex {
  const pages = pagesOf(options);
  const server = createServer((message, response) => {
    answer(pages, message, response).catch((error: unknown) => {
      options.context.log.warn("a page of the node failed", { error: String(error) });
      if (response.headersSent) return void response.destroy();
      response.writeHead(500, { "content-type": "text/plain" }).end("500 internal error\n");
    });
  });
  const open = new Set<Duplex>();
  options.scope.defer(() => {
    for (const one of open) one.destroy();
  });
  return () => {
    const [inner, outer] = duplexPair();
    open.add(inner);
    inner.once("close", () => open.delete(inner));
    inner.on("error", () => outer.destroy());
    server.emit("connection", inner);
    return outer;
  };
}
