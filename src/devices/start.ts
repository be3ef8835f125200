// The wing as a site runs it: the controllers where the control plane acts, the search where the node is.
import type { Registry } from "prom-client";
import type { Client } from "../client/client.ts";
import type { Informers } from "../client/informers.ts";
import type { KubeObject } from "../kinds/object.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import type { Scope } from "../lib/scope.ts";
import { resource } from "../client/client.ts";
import { KubeletHost } from "./plugins/kubelet-host.ts";
import { deviceNodes } from "./controllers/node-controller.ts";
import { startRegistration } from "./discovery/registration.ts";
import { ensureAgentRole } from "./agent/agent-role.ts";
import { DeviceAgent } from "./agent/agent.ts";
import { brokerController } from "./controllers/broker-controller.ts";
import { ownedSelector } from "./brokers/names.ts";
import { startDriver } from "./dra/driver.ts";
import type { CdiFiles } from "./dra/driver.ts";
import { deviceSlices } from "./controllers/slice-controller.ts";
import { customWorkloads } from "./controllers/custom-workload-controller.ts";
import { configurationStatus } from "./controllers/configuration-controller.ts";
import { instanceStatus } from "./controllers/instance-controller.ts";
import { instances } from "./kinds/instance.ts";
import { deviceTwinsOfInstances } from "./controllers/twin-controller.ts";
import { startTwins } from "./twins/twins.ts";
import type { DevicePluginHost } from "./plugins/device-plugin.ts";
import { DeviceMetrics } from "./agent/metrics.ts";
import { brokerWorkloads } from "./controllers/workload-controller.ts";
import { ensureDefinitions } from "../client/definitions.ts";
import { definitions } from "./kinds/definitions.ts";
import type { HandlerWorld } from "./discovery/handler.ts";
import { ownHandlers } from "./discovery/own-handlers.ts";
import { Handlers } from "./discovery/handlers.ts";
import { configurationServices, instanceServices } from "./controllers/service-controller.ts";

/** What the search and the controllers need of a cluster. */
export async function prepareDevices({
  client,
  clock,
}: Pick<ControllersOptions, "client" | "clock">) {
  await ensureDefinitions(client, clock, definitions);
  await ensureAgentRole(client);
}

/** Brokers and Services; one of several servers runs these. */
export async function startDeviceControllers(options: ControllersOptions) {
  await prepareDevices(options);
  const all = [
    brokerController(),
    brokerWorkloads,
    customWorkloads(),
    configurationServices,
    configurationStatus,
    deviceNodes,
    deviceSlices,
    deviceTwinsOfInstances,
    instanceServices,
    instanceStatus,
  ];
  await startControllers(all, options);
}

export interface DeviceSearchOptions {
  client: Client;
  informers: Informers;
  node: string;
  world: HandlerWorld;
  /** `/var/lib/kubelet`; absent on nodes that run no pods. */
  kubeletDirectory?: string;
  /** The node's own, where it runs in this process. */
  host?: DevicePluginHost;
  /** `/var/lib/akri`: where handlers of others register. */
  akriDirectory: string;
  /** Where containers find what claims gave them; absent where there are no claims. */
  cdi?: CdiFiles;
  /** Where what there is to measure is told. */
  registry?: Registry;
  scope: Scope;
}

/** The resources go to the machine's kubelet, whose pods' coming and going it hears of. */
function hostOf({ informers, node, world, kubeletDirectory, ...options }: DeviceSearchOptions) {
  if (options.host || kubeletDirectory === undefined) return options.host;
  const { scope } = options;
  const { clock, log } = world;
  const host = new KubeletHost({ kubeletDirectory, clock, log, scope });
  const choice = { resource: resource("v1", "pods"), fieldSelector: `spec.nodeName=${node}` };
  const ended = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);
  scope.defer(
    informers.get(choice).subscribe({
      onUpdate: (pod, before) => {
        if (ended(pod) && !ended(before)) host.podsChanged();
      },
      onDelete: () => host.podsChanged(),
    }),
  );
  return host;
}

function metricsOf({ registry, informers }: DeviceSearchOptions) {
  const pods = { resource: resource("v1", "pods"), labelSelector: ownedSelector };
  const [of, brokers] = [informers.get({ resource: instances }), informers.get(pods)];
  return registry && new DeviceMetrics(registry, { instances: of, brokers });
}

/** Looks for devices on this machine. */
export async function startDeviceSearch(options: DeviceSearchOptions) {
  const { client, world, scope, akriDirectory } = options;
  const handlers = new Handlers(ownHandlers);
  await startRegistration({ directory: akriDirectory, handlers, log: world.log, scope });
  const host = hostOf(options);
  const metrics = metricsOf(options);
  const more = { ...(host && { host }), ...(metrics && { metrics }) };
  const agent = new DeviceAgent({ ...options, handlers, ...more });
  await agent.start();
  const { node, kubeletDirectory, cdi } = options;
  if (kubeletDirectory && cdi) {
    const { claims, known, allocationOf } = agent;
    const driver = { client, node, claims, known, allocationOf, cdi, kubeletDirectory, scope };
    await startDriver({ ...driver, clock: world.clock, log: world.log });
  }
  // Last, and not waited for: a cluster with Akri's controller has no such kind until Kerb's come.
  void startTwins(options, agent);
}
