// The hub wing: its kinds, who may accept sites, and its controllers.
import { ensureDefinitions } from "../client/definitions.ts";
import { startControllers } from "../controllers/runtime.ts";
import type { ControllersOptions } from "../controllers/runtime.ts";
import { alarmController } from "./alarms/alarm-controller.ts";
import { ensureRules } from "./alarms/built-in-rules.ts";
import { hubDefinitions } from "./kinds/resources.ts";
import { clusterSetBinding } from "./placement/cluster-set-binding.ts";
import type { CelMatch } from "./placement/model.ts";
import { clusterProfile } from "./inventory/cluster-profile.ts";
import { site } from "./operations/site.ts";
import { siteBackup } from "./operations/site-backup.ts";
import type { TakeBackup } from "./operations/site-backup.ts";
import { updateStrategy } from "./operations/update-strategy.ts";
import { placement } from "./placement/placement.ts";
import { ensurePolicies } from "./registration/policies.ts";
import { clusterCsr } from "./registration/cluster-csr.ts";
import type { Subject } from "./registration/cluster-csr.ts";
import { clusterLease } from "./registration/cluster-lease.ts";
import { clusterSet } from "./registration/cluster-set.ts";
import { addOn } from "./registration/add-on.ts";
import { managedCluster } from "./registration/managed-cluster.ts";
import { managedNamespaces } from "./registration/managed-namespaces.ts";
import { maintenanceWindow } from "./rollout/maintenance-window.ts";
import { replicaSet } from "./rollout/replica-set.ts";
import { timeToLive } from "./work/time-to-live.ts";

export interface HubOptions extends ControllersOptions {
  /** Reads a PKCS #10 request in PEM; undefined for one that cannot be read. */
  subjectOf: (pem: string) => Subject | undefined;
  cel: CelMatch;
  /** Absent: the hub has no disk of its own. */
  takeBackup?: TakeBackup;
}

export async function startHub({ subjectOf, cel, takeBackup, ...options }: HubOptions) {
  await ensureDefinitions(options.client, options.clock, hubDefinitions);
  await ensurePolicies(options.client);
  await ensureRules(options.client, "hub");
  const all = [
    managedCluster,
    addOn,
    clusterCsr(subjectOf),
    clusterLease(),
    clusterSet,
    clusterSetBinding,
    managedNamespaces,
    placement(cel),
    replicaSet,
    maintenanceWindow,
    site,
    updateStrategy,
    siteBackup(takeBackup),
    clusterProfile,
    timeToLive,
    alarmController(options.informers, options.scope),
  ];
  await startControllers(all, options);
}
