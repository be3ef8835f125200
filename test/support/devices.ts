// A cluster that serves Akri's kinds, and nodes of it that look for devices.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGarbageCollector } from "../../src/controllers/garbage-collector.ts";
import { startControllers } from "../../src/controllers/runtime.ts";
import type { DiscoveredResource } from "../../src/controllers/runtime.ts";
import { DeviceAgent } from "../../src/devices/agent/agent.ts";
import { brokerController } from "../../src/devices/controllers/broker-controller.ts";
import { configurationStatus } from "../../src/devices/controllers/configuration-controller.ts";
import { instanceStatus } from "../../src/devices/controllers/instance-controller.ts";
import { customWorkloads } from "../../src/devices/controllers/custom-workload-controller.ts";
import { brokerWorkloads } from "../../src/devices/controllers/workload-controller.ts";
import { ensureDefinitions } from "../../src/client/definitions.ts";
import { definitions } from "../../src/devices/kinds/definitions.ts";
import type { DiscoveryHandler } from "../../src/devices/discovery/handler.ts";
import { Handlers } from "../../src/devices/discovery/handlers.ts";
import {
  configurationServices,
  instanceServices,
} from "../../src/devices/controllers/service-controller.ts";
import { startTwins } from "../../src/devices/twins/twins.ts";
import { deviceTwinsOfInstances } from "../../src/devices/controllers/twin-controller.ts";
import type { DevicePluginHost } from "../../src/devices/plugins/device-plugin.ts";
import type { DeviceMetrics } from "../../src/devices/agent/metrics.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { crdAdmission } from "../../src/server/extensions/crd-admission.ts";
import { startCrdController } from "../../src/server/extensions/crd-controller.ts";
import { handlerWorld } from "./handlers.ts";
import { startCluster } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

export interface DeviceCluster extends Cluster {
  /** Starts looking on a node; what it offers goes to `host`. */
  addNode(
    node: string,
    options: { handlers: DiscoveryHandler[]; host?: DevicePluginHost; metrics?: DeviceMetrics },
  ): Promise<{ handlers: Handlers; directory: string; stop: () => Promise<void> }>;
}

export async function startDeviceCluster(given: { clock?: Clock } = {}): Promise<DeviceCluster> {
  const cluster = startCluster({ ...given, admission: () => [crdAdmission] });
  const { client, clock, random, log, scope, informers, server } = cluster;
  await startCrdController({
    store: server.store,
    kinds: server.kinds,
    clock,
    log: silent,
    scope,
    convert: async (_crd, objects) => objects,
  });
  await ensureDefinitions(client, clock, definitions);
  const found = (): DiscoveredResource[] =>
    server.kinds
      .all()
      .filter((kind) => !kind.virtual)
      .map(({ plural, ...kind }) => ({ ...kind, resource: plural }));
  const options = { client, clock, random, log, scope, informers, discover: async () => found() };
  const controllers = [
    brokerController(),
    brokerWorkloads,
    customWorkloads(async (_, { kind }) => kind !== "Forbidden"),
    configurationServices,
    configurationStatus,
    deviceTwinsOfInstances,
    instanceServices,
    instanceStatus,
  ];
  await startControllers(controllers, options);
  await startGarbageCollector(options);
  return {
    ...cluster,
    addNode: async (node, { handlers: own, host, metrics }) => {
      const directory = await mkdtemp(join(tmpdir(), "kerb-devices-"));
      scope.defer(() => rm(directory, { recursive: true, force: true }));
      const child = scope.child();
      const handlers = new Handlers(own);
      const world = handlerWorld({ clock, random, directory });
      const parts = { client, informers, node, handlers, world, scope: child };
      const agent = new DeviceAgent({
        ...parts,
        ...(host && { host }),
        ...(metrics && { metrics }),
      });
      await agent.start();
      await startTwins(parts, agent);
      return { handlers, directory, stop: () => child.close() };
    },
  };
}
