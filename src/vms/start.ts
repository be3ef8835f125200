// The wing where the control plane acts: its kinds, what else clients expect, and its controllers.
import type { Client } from "../client/client.ts";
import { ensureDefinitions } from "../client/definitions.ts";
import { machineController } from "./machine/machine-controller.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import type { Clock } from "../lib/clock.ts";
import type { NodeConnector } from "../lib/node-connection.ts";
import { cloneController } from "./copies/clone-controller.ts";
import { exportController } from "./copies/export-controller.ts";
import { restoreController } from "./copies/restore-controller.ts";
import { snapshotController } from "./copies/snapshot-controller.ts";
import { dataSourceController } from "./disks/data-source-controller.ts";
import { claimUploadController } from "./disks/claim-upload-controller.ts";
import { dataVolumeController } from "./disks/data-volume-controller.ts";
import { evacuationController } from "./eviction/evacuation-controller.ts";
import { hotplugController } from "./hotplug/hotplug-controller.ts";
import { growthController } from "./disks/growth-controller.ts";
import { importCronController } from "./import-cron/import-cron-controller.ts";
import type { DigestOf } from "./import-cron/import-cron-controller.ts";
import { install } from "./installation.ts";
import { instanceController } from "./instance/instance-controller.ts";
import { memoryDumpController } from "./memory-dump/memory-dump-controller.ts";
import { migrationController } from "./migration/migration-controller.ts";
import { movedAddressController } from "./migration/moved-address.ts";
import { ensureNodeRights } from "./node-rights.ts";
import { replicatedClaimController } from "./replication/replicated-claim.ts";
import { replicatedVolumeController } from "./replication/replicated-volume.ts";
import { instanceReplicaSetController } from "./sets/instance-replica-set.ts";
import { poolController } from "./sets/pool-controller.ts";
import { vmDefinitions } from "./kinds/definitions.ts";

export interface VmControllersOptions extends ControllersOptions {
  connect: NodeConnector;
  /** Asks registries. */
  digestOf: DigestOf;
}

/** What must be there before anything acts. */
export async function ensureVms(client: Client, clock: Clock) {
  await ensureDefinitions(client, clock, vmDefinitions);
  await install(client, clock);
  await ensureNodeRights(client);
}

export async function startVmControllers({ connect, digestOf, ...options }: VmControllersOptions) {
  const all = [
    machineController,
    instanceController,
    dataVolumeController(connect),
    claimUploadController,
    dataSourceController,
    growthController(connect),
    importCronController(digestOf),
    snapshotController(connect),
    restoreController,
    cloneController,
    exportController,
    migrationController(connect),
    movedAddressController,
    evacuationController,
    instanceReplicaSetController,
    poolController,
    hotplugController(connect),
    memoryDumpController(connect),
    replicatedClaimController(connect),
    replicatedVolumeController(connect),
  ];
  await startControllers(all, options);
}
