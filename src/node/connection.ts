// What the API server asks of this node: logs, exec, attach, port-forward. Errors in kubelet's words.
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { NodeConnection, NodeParts, NodeUsage, PodAddress } from "../lib/node-connection.ts";
import { badRequest, notFound, StatusError } from "../lib/status-error.ts";
import { dialTcp } from "../lib/dial-tcp.ts";
import type { AgentContext } from "./context.ts";
import { logDirectory, logPath } from "./directories.ts";
import { isRunning } from "./pods/instances.ts";
import { readLog } from "./logs/logs.ts";
import { machineUsage } from "./machine/machine-usage.ts";
import { kubeletPort } from "./pages/pages.ts";
import { allContainers } from "./pods/pod.ts";
import type { PodWorker } from "./pods/pod-worker.ts";

type Find = (uid: string) => PodWorker | undefined;

export interface Workers {
  /** A connection to the node's own pages. */
  pages: () => Duplex;
  find: Find;
  all: () => Iterable<PodWorker>;
}

function workerOf(find: Find, { name, uid }: PodAddress): PodWorker {
  const worker = find(uid);
  if (!worker) throw notFound({ group: "", resource: "pods" }, name);
  return worker;
}

function checkContainer({ pod }: PodWorker, container: string) {
  if (allContainers(pod).some(({ name }) => name === container)) return;
  throw badRequest(`container ${container} is not valid for pod ${pod.metadata.name}`);
}

/** The instance in use, or the one before it. */
async function instanceOf(worker: PodWorker, container: string, previous: boolean) {
  checkContainer(worker, container);
  const { instances, pod } = worker;
  const instance = (previous ? instances.previous : instances.newest).get(container);
  if (instance && !instance.remembered) return instance;
  const { name } = pod.metadata;
  if (previous) {
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  }
  const statuses = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const status = statuses.find((one: any) => one.name === container);
  const reason = status?.state?.waiting?.reason ?? "ContainerCreating";
  const why = /Image/.test(reason) ? "trying and failing to pull image" : reason;
  throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${why}`);
}

function runningId(worker: PodWorker, container: string): string {
  checkContainer(worker, container);
  const instance = worker.instances.newest.get(container);
  if (isRunning(instance)) return instance!.id;
  throw new StatusError("InternalError", `container not found ("${container}")`);
}

async function usageOf(runtime: AgentContext["runtime"], workers: Iterable<PodWorker>) {
  const [machine, stats] = await Promise.all([machineUsage(), runtime.stats()]);
  const byId = new Map(stats.map((one) => [one.containerId, one]));
  const containers: NodeUsage["containers"] = [];
  for (const { pod, instances } of workers) {
    const { namespace = "", name, uid } = pod.metadata;
    for (const [container, { id }] of instances.newest) {
      const used = byId.get(id);
      if (!used) continue;
      const { cpuNanoseconds, workingSetBytes } = used;
      const address = { namespace, name, uid };
      containers.push({ pod: address, name: container, id, cpuNanoseconds, workingSetBytes });
    }
  }
  return { ...machine, containers };
}

/** Of the parts that wings have put there. */
function partsOf(parts: NodeParts): Pick<NodeConnection, "ask" | "open"> {
  const part = (name: string) => {
    const found = parts.get(name);
    if (found) return found;
    throw new StatusError("NotFound", `the node has no part ${JSON.stringify(name)}`);
  };
  return {
    ask: async (name, question) => part(name).ask(question),
    open: async (name, question) => part(name).open(question),
  };
}

export function nodeConnection(
  context: AgentContext,
  { find, all, pages }: Workers,
  parts: NodeParts,
): NodeConnection {
  const { runtime, clock, directories, facts } = context;
  return {
    async logs(address, container, options, signal) {
      const worker = workerOf(find, address);
      const instance = await instanceOf(worker, container, options.previous ?? false);
      const path = join(
        logDirectory(directories, worker.pod),
        logPath(container, instance.attempt),
      );
      const running = async () =>
        !worker.state.finished &&
        isRunning(worker.instances.newest.get(container)) &&
        worker.instances.newest.get(container)!.id === instance.id;
      return readLog({ path, options, running, clock, signal });
    },
    async exec(address, container, { command, tty }, streams) {
      return runtime.exec(runningId(workerOf(find, address), container), command, tty, streams);
    },
    async attach(address, container, { tty }, streams) {
      return runtime.attach(runningId(workerOf(find, address), container), tty, streams);
    },
    async portForward(address, port) {
      const { sandbox } = workerOf(find, address).instances;
      if (!sandbox) {
        throw badRequest(`unable to forward port because pod is not running`);
      }
      return runtime.portForward(sandbox.id, port);
    },
    dial: async (host, port) =>
      port === kubeletPort && facts.hostIps.includes(host) ? pages() : dialTcp(host, port),
    usage: () => usageOf(runtime, all()),
    ...partsOf(parts),
  };
}

/** Of a node without containers. */
export function noConnection(nodeName: string, why: string): NodeConnection {
  const refuse = async (): Promise<never> => {
    throw new StatusError("ServiceUnavailable", `node ${nodeName} runs no containers: ${why}`);
  };
  return {
    logs: refuse,
    exec: refuse,
    attach: refuse,
    portForward: refuse,
    dial: dialTcp,
    usage: async () => ({ ...(await machineUsage()), containers: [] }),
    ask: refuse,
    open: refuse,
  };
}
