// The driver of dynamic resource allocation on a node: what a claim was given it takes out of the Instance's
// slots, and describes it to containers in a CDI file.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcMethod } from "../../lib/grpc-server.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { driver as driverApi, driverHealth, pluginWatcher } from "../../node/devices/protocols.ts";
import type { Claims } from "../plugins/claims.ts";
import type { DeviceAllocation } from "../plugins/device-plugin.ts";
import { parseUsage, slotsOf, usageText } from "../plugins/slots.ts";
import { watchHealth } from "./health.ts";
import { cdiKind, cdiName, driverName, holderOf, isClaimedBy } from "./names.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";

const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
const version = "v1.DRAPlugin";

export interface CdiFiles {
  write(name: string, text: string): void;
  remove(name: string): void;
}

export interface DriverOptions {
  client: Client;
  node: string;
  claims: Claims;
  /** The Instances of the cluster. */
  known: () => Instance[];
  /** What a container gets with a device of this node; undefined while it is not seen here. */
  allocationOf: (instance: Instance) => DeviceAllocation | undefined;
  cdi: CdiFiles;
  /** `/var/lib/kubelet`. */
  kubeletDirectory: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

interface ClaimName {
  namespace: string;
  uid: string;
  name: string;
}

/** The device as CDI describes it. Pure. */
export function cdiDevice(name: string, { envs, mounts, devices }: DeviceAllocation) {
  return {
    name,
    containerEdits: {
      env: Object.entries(envs).map(([key, value]) => `${key}=${value}`),
      deviceNodes: devices.map(({ containerPath, hostPath, permissions }) => ({
        path: containerPath,
        hostPath,
        permissions,
      })),
      mounts: mounts.map(({ containerPath, hostPath, readOnly }) => ({
        containerPath,
        hostPath,
        options: [readOnly ? "ro" : "rw", "bind"],
      })),
    },
  };
}

const fileOf = (uid: string) => `akri.sh-${uid}.json`;

export class Driver {
  readonly #options: DriverOptions;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /** Devices of a claim that this node prepared, as NodePrepareResources answers. */
  async prepare(claim: ClaimName) {
    const { client, cdi } = this.#options;
    const { namespace, name, uid } = claim;
    const object = await client.get({ ...resourceClaims, namespace, name });
    if (object.metadata.uid !== uid) throw new Error("the claim was made anew");
    const results: any[] = object.status?.allocation?.devices?.results ?? [];
    const devices = [];
    const described = [];
    for (const { driver, pool, device, request } of results) {
      if (driver !== driverName) continue;
      const given = await this.#take(pool, holderOf(uid, device));
      const unique = cdiName(uid, device);
      described.push(cdiDevice(unique, given));
      devices.push({
        request_names: [request],
        pool_name: pool,
        device_name: device,
        cdi_device_ids: [`${cdiKind}=${unique}`],
      });
    }
    const spec = { cdiVersion: "0.5.0", kind: cdiKind, devices: described };
    cdi.write(fileOf(uid), JSON.stringify(spec));
    return { devices };
  }

  async unprepare({ uid }: ClaimName) {
    const { node, claims, known, cdi } = this.#options;
    const isMine = (text: string) => isClaimedBy(text, { uid, node });
    for (const { metadata, spec } of known()) {
      if (!Object.values(spec.deviceUsage ?? {}).some(isMine)) continue;
      await claims.change(metadata.namespace!, metadata.name, (own) =>
        Object.fromEntries(Object.entries(own).filter(([, text]) => !isMine(text))),
      );
    }
    cdi.remove(fileOf(uid));
    return {};
  }

  /** Any free slot will do: a claim's device is one of as many as there are slots. */
  async #take(pool: string, holder: string): Promise<DeviceAllocation> {
    const { client, node, claims, allocationOf } = this.#options;
    const [namespace, name] = pool.split("/") as [string, string];
    const instance = await client.get<Instance>({ ...instances, namespace, name });
    const given = allocationOf(instance);
    if (!given) throw new Error(`${node} does not see ${name}`);
    const mine = usageText({ node, virtualDevice: holder });
    await claims.change(namespace, name, (own, now) => {
      if (Object.values(own).includes(mine)) return undefined;
      const free = slotsOf(now).find((slot) => !parseUsage(now.spec.deviceUsage?.[slot]));
      if (!free) throw new Error(`all slots of ${name} are held`);
      return { ...own, [free]: mine };
    });
    return given;
  }
}

function each(
  what: "Prepare" | "Unprepare",
  work: (claim: ClaimName) => Promise<object>,
): GrpcMethod {
  return {
    request: `Node${what}ResourcesRequest`,
    response: `Node${what}ResourcesResponse`,
    answer: async ({ claims }: { claims: ClaimName[] }) => {
      const answers: Record<string, object> = {};
      for (const claim of claims) {
        answers[claim.uid] = await work(claim).catch((error: Error) => ({ error: error.message }));
      }
      return { claims: answers };
    },
  };
}

/** Resolves once the kubelet can find it. */
export async function startDriver(options: DriverOptions) {
  const { kubeletDirectory, log, scope } = options;
  const driver = new Driver(options);
  const registry = join(kubeletDirectory, "plugins_registry");
  await mkdir(registry, { recursive: true });
  const socket = join(registry, "akri.sh-reg.sock");
  await rm(socket, { force: true });
  const info = {
    type: "DRAPlugin",
    name: driverName,
    endpoint: socket,
    supported_versions: [version],
  };
  const listener = await listenGrpc(socket, [
    {
      path: pluginWatcher.path,
      types: pluginWatcher.types,
      methods: {
        GetInfo: { request: "InfoRequest", response: "PluginInfo", answer: () => info },
        NotifyRegistrationStatus: {
          request: "RegistrationStatus",
          response: "RegistrationStatusResponse",
          answer: ({ plugin_registered: is, error }: any) => {
            if (!is) log.warn("the kubelet does not take devices by claims", { error });
            return {};
          },
        },
      },
    },
    {
      path: driverApi.paths.get(version)!,
      types: driverApi.types,
      methods: {
        NodePrepareResources: each("Prepare", (claim) => driver.prepare(claim)),
        NodeUnprepareResources: each("Unprepare", (claim) => driver.unprepare(claim)),
      },
    },
    ...driverHealth.paths.map((path) => ({
      path,
      types: driverHealth.types,
      methods: { NodeWatchResources: watchHealth(options) },
    })),
  ]);
  scope.defer(async () => {
    listener.close();
    await rm(socket, { force: true });
  });
}
