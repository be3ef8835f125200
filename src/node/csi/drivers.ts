// The CSI drivers that registered with this node. The node's CSINode names them and what they call this machine.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import type { GrpcService } from "../../lib/grpc.ts";
import { inTurn } from "../../lib/in-turn.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { PluginHandler, PluginInfo } from "../devices/plugin-watcher.ts";
import { abilities, csiNode } from "./protocol.ts";
import type { Ability } from "./protocol.ts";
import { VolumesInUse } from "./volumes-in-use.ts";

const csiNodes = resource("storage.k8s.io/v1", "csinodes");
const nodes = resource("v1", "nodes");
const callMsMax = 120_000;
const triesMax = 10;
const retryMs = 1000;

export interface CsiDriver {
  call(method: string, request: object, timeoutMs?: number): Promise<any>;
  can(ability: Ability): Promise<boolean>;
}

export interface CsiDriversOptions {
  client: Client;
  nodeName: string;
  /** Where drivers look for pods and their own folders, `/var/lib/kubelet`. */
  kubeletDirectory: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

interface Known extends CsiDriver {
  connection: GrpcConnection;
}

/** What a CSINode says of a driver. */
interface Entry {
  name: string;
  nodeID: string;
  topologyKeys: string[];
  allocatable?: { count: number };
}

/** The list with this driver in place of an older of its name; without `entry` it is taken out. Pure. */
export const withDriver = (drivers: Entry[], name: string, entry: Entry | undefined): Entry[] => [
  ...drivers.filter((one) => one.name !== name),
  ...(entry ? [entry] : []),
];

export class CsiDrivers {
  readonly kubeletDirectory: string;
  /** What must not be detached from this node. */
  readonly inUse = new VolumesInUse();
  readonly #options: CsiDriversOptions;
  readonly #known = new Map<string, Known>();
  readonly #inTurn = inTurn();

  constructor(options: CsiDriversOptions) {
    this.#options = options;
    this.kubeletDirectory = options.kubeletDirectory;
    options.scope.defer(() => {
      for (const { connection } of this.#known.values()) connection.close();
    });
  }

  find(name: string): CsiDriver | undefined {
    return this.#known.get(name);
  }

  readonly handler: PluginHandler = {
    added: (info, socketPath) => this.#added(info, socketPath),
    removed: ({ name }) => {
      this.#known.get(name)?.connection.close();
      this.#known.delete(name);
      this.#tell(name, async () => undefined);
    },
  };

  #added({ name, supported_versions: versions }: PluginInfo, socketPath: string) {
    if (!versions.some((version) => /^v?1\./.test(version))) {
      throw new Error(`CSI driver ${name} speaks none of the versions 1.x: ${versions.join(", ")}`);
    }
    this.#known.get(name)?.connection.close();
    const connection = new GrpcConnection(`unix://${socketPath}`);
    const service: GrpcService = connection.service(csiNode.path, csiNode.types);
    const call = (method: string, request: object, timeoutMs = callMsMax) =>
      service.call(method, request, { timeoutMs });
    let known: Promise<Set<number>> | undefined;
    const ask = async () => {
      const { capabilities } = await call("NodeGetCapabilities", {});
      return new Set<number>(capabilities.map(({ rpc }: any) => rpc?.type));
    };
    const can = async (ability: Ability) => {
      known ??= ask().catch((error: unknown) => {
        known = undefined;
        throw error;
      });
      return (await known).has(abilities[ability]);
    };
    this.#known.set(name, { connection, call, can });
    this.#tell(name, () => call("NodeGetInfo", {}));
  }

  /** Writes down what the driver says of this machine, or that it is gone. */
  #tell(name: string, ask: () => Promise<any>) {
    const { log, clock, scope } = this.#options;
    const once = async () => {
      const info = await ask();
      await this.#inTurn(() => this.#write(name, info));
    };
    const repeat = async () => {
      for (let tries = 1; ; tries++) {
        try {
          return await once();
        } catch (error) {
          if (tries >= triesMax || scope.closed) throw error;
          await sleep(clock, retryMs, scope.signal);
        }
      }
    };
    repeat().catch((error) =>
      log.warn("a CSI driver is not told of", { name, error: String(error) }),
    );
  }

  async #write(name: string, info: any) {
    const { client, nodeName } = this.#options;
    const segments: Record<string, string> = info?.accessible_topology?.segments ?? {};
    if (Object.keys(segments).length > 0) {
      await client.patch({ ...nodes, name: nodeName }, "merge", { metadata: { labels: segments } });
    }
    const entry: Entry | undefined = info && {
      name,
      nodeID: info.node_id,
      topologyKeys: Object.keys(segments),
      ...(info.max_volumes_per_node > 0 && { allocatable: { count: info.max_volumes_per_node } }),
    };
    const target = { ...csiNodes, name: nodeName };
    try {
      const known: KubeObject = await client.get(target);
      const drivers = withDriver(known.spec.drivers ?? [], name, entry);
      await client.update(target, { ...known, spec: { ...known.spec, drivers } });
    } catch (error) {
      if (!isStatus(error, "NotFound") || !entry) throw error;
      const { uid } = (await client.get({ ...nodes, name: nodeName })).metadata;
      const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: nodeName, uid }];
      await client.create(csiNodes, {
        apiVersion: "storage.k8s.io/v1",
        kind: "CSINode",
        metadata: { name: nodeName, ownerReferences },
        spec: { drivers: [entry] },
      });
    }
  }
}
