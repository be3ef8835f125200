// The wing as a site runs it: the controllers where the control plane acts, the search where the node is.
import type { Client } from "../client/client.ts";
import type { Informers } from "../client/informers.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import type { DevicePluginHost } from "../lib/device-plugin.ts";
import type { Scope } from "../lib/scope.ts";
import { DeviceAgent } from "./agent.ts";
import { brokerController } from "./broker-controller.ts";
import { ensureDefinitions } from "./definitions.ts";
import type { HandlerWorld } from "./handler.ts";
import { debugEcho } from "./handlers/debug-echo.ts";
import { Handlers } from "./handlers.ts";
import { configurationServices, instanceServices } from "./service-controller.ts";

const ownHandlers = [debugEcho];

/** Brokers and Services; one of several servers runs these. */
export async function startDeviceControllers(options: ControllersOptions) {
  await ensureDefinitions(options.client, options.clock);
  await startControllers([brokerController(), configurationServices, instanceServices], options);
}

export interface DeviceSearchOptions {
  client: Client;
  informers: Informers;
  node: string;
  world: HandlerWorld;
  host?: DevicePluginHost;
  scope: Scope;
}

/** Looks for devices on this machine. */
export async function startDeviceSearch(options: DeviceSearchOptions) {
  await ensureDefinitions(options.client, options.world.clock);
  const handlers = new Handlers(ownHandlers);
  await new DeviceAgent({ ...options, handlers }).start();
}
