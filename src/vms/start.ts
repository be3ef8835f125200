// The wing where the control plane acts: its kinds, what else clients expect, and its controllers.
import { ensureDefinitions } from "../client/definitions.ts";
import { machineController } from "./machine/machine-controller.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { Controller, ControllersOptions } from "../controllers/runtime.ts";
import { install } from "./installation.ts";
import { instanceController } from "./instance/instance-controller.ts";
import { vmDefinitions } from "./kinds/definitions.ts";

const controllers: Controller[] = [machineController, instanceController];

export async function startVmControllers(options: ControllersOptions) {
  await ensureDefinitions(options.client, options.clock, vmDefinitions);
  await install(options.client, options.clock);
  await startControllers(controllers, options);
}
