// The wing where the control plane acts: its kinds, what else clients expect, and its controllers.
import { ensureDefinitions } from "../client/definitions.ts";
import { machineController } from "./machine/machine-controller.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import type { NodeConnector } from "../lib/node-connection.ts";
import { dataVolumeController } from "./disks/data-volume-controller.ts";
import { install } from "./installation.ts";
import { instanceController } from "./instance/instance-controller.ts";
import { ensureNodeRights } from "./node-rights.ts";
import { vmDefinitions } from "./kinds/definitions.ts";

export interface VmControllersOptions extends ControllersOptions {
  connect: NodeConnector;
}

export async function startVmControllers({ connect, ...options }: VmControllersOptions) {
  await ensureDefinitions(options.client, options.clock, vmDefinitions);
  await install(options.client, options.clock);
  await ensureNodeRights(options.client);
  const all = [machineController, instanceController, dataVolumeController(connect)];
  await startControllers(all, options);
}
