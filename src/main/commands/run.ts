// `kerb run`: wings on a cluster that is there already, whose kubeconfig says who they act as.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import type { RunOptions } from "../../cli/run.ts";
import { Informers } from "../../client/informers.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { startElection } from "../../client/leader-election.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { kerbVersion, logLevel } from "../config.ts";
import { forbidCoreDumps } from "../memory/core-dumps.ts";
import { keepIdleMemorySmall } from "../memory/idle-memory.ts";
import { usualKubelet } from "../node/kubelet-directory.ts";
import { outputLog } from "../pino-log.ts";
import { openRemoteCluster } from "../remote-cluster.ts";
import { wings } from "../wings/wings.ts";

const clock = systemClock;
const random = systemRandom;
const loopback = "127.0.0.1";
const isLoopback = (host: string) => host === "localhost" || host.startsWith("127.");

export interface Running {
  /** Of the cluster's Kubernetes. */
  version: string;
  server: string;
  stop(): Promise<void>;
}

/** Resolves when the cluster answers; each wing starts when it is this process' turn. */
export async function startWings(
  { kubeconfig, wings: names, advertise, ...options }: RunOptions,
  { log, started }: { log: Log; started: (wing: string) => void },
): Promise<Running> {
  const connection = parseKubeconfig(readFileSync(kubeconfig, "utf8"), dirname(kubeconfig));
  const scope = new Scope();
  keepIdleMemorySmall(clock, scope);
  const cluster = openRemoteCluster(connection, { clock, scope });
  try {
    const version = await cluster.version();
    await cluster.discover();
    const { node = hostname(), kubeletDirectory = usualKubelet } = options;
    const here = isLoopback(new URL(connection.server).hostname) ? loopback : undefined;
    const { host, port } = advertise ?? { host: here, port: 0 };
    for (const name of names) {
      const room = log.with({ wing: name });
      const client = cluster.client(`kerb-${name}`);
      const lease = wings[name]!.onEachNode ? `kerb-wing-${name}-${node}` : `kerb-wing-${name}`;
      startElection({
        ...{ client, namespace: "kube-system", name: lease },
        identity: random.uuid(),
        async lead(term) {
          const informers = new Informers({ client, clock, log: room, scope: term });
          const place = { node, kubeletDirectory, ingress: options };
          const parts = { cluster, informers, host, port, wings: names, ...place, clock, random };
          await wings[name]!.start({ ...parts, log: room, scope: term });
          started(name);
        },
        ...{ clock, random, log: room, scope },
      });
    }
    return { version, server: connection.server, stop: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}

export async function run(options: RunOptions): Promise<number> {
  void forbidCoreDumps();
  const log = outputLog(logLevel);
  const started = (wing: string) => console.log(`  ${wing} acts`);
  const { version, server, stop } = await startWings(options, { log, started });
  console.log(`Kerb ${kerbVersion} on Kubernetes ${version} at ${server}`);
  await new Promise<void>((done) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => done());
  });
  await stop();
  return 0;
}
