// The controllers of a site. One import and one line each.
import { cronJob } from "./cron-job.ts";
import { daemonSet } from "./daemon-set.ts";
import { deploymentController } from "./deployment.ts";
import { disruptionController } from "./disruption.ts";
import { endpointSliceController } from "./endpoint-slice.ts";
import { endpointSliceMirroringController } from "./endpoint-slice-mirroring.ts";
import { endpointsController } from "./endpoints.ts";
import { eventTtlController } from "./event-ttl.ts";
import { job } from "./job.ts";
import { localPathController } from "./local-path.ts";
import { namespaceController } from "./namespace.ts";
import { nodeLifecycle } from "./node-lifecycle.ts";
import { persistentVolumeController } from "./persistent-volume.ts";
import { podGarbageCollector } from "./pod-garbage-collector.ts";
import { replicaSetController, replicationController } from "./replica-set.ts";
import { resourceQuotaController } from "./resource-quota.ts";
import { rootCaController } from "./root-ca.ts";
import type { Controller } from "./runtime.ts";
import { serviceAccountController } from "./service-account.ts";
import { statefulSet } from "./stateful-set.ts";
import { claimProtection, volumeProtection } from "./volume-protection.ts";

/** `ca` gives the cluster's certificate of now, as PEM. */
export const controllers = (ca: () => string): Controller[] => [
  cronJob,
  daemonSet,
  deploymentController,
  disruptionController,
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  eventTtlController,
  job,
  localPathController,
  namespaceController,
  nodeLifecycle,
  claimProtection,
  persistentVolumeController,
  podGarbageCollector,
  replicaSetController,
  replicationController,
  resourceQuotaController(),
  rootCaController(ca),
  serviceAccountController,
  statefulSet,
  volumeProtection,
];
