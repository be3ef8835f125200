// The controllers of a site. One import and one line each.
import { attachDetach } from "./attach-detach.ts";
import { bootstrapSigner } from "./bootstrap-signer.ts";
import { clusterInfo } from "./cluster-info.ts";
import { clusterRoleAggregation } from "./cluster-role-aggregation.ts";
import { cronJob } from "./cron-job.ts";
import { csrApproving } from "./csr-approving.ts";
import { csrCleaner } from "./csr-cleaner.ts";
import { csrSigning } from "./csr-signing.ts";
import type { Signing } from "./csr.ts";
import { daemonSet } from "./daemon-set.ts";
import { deploymentController } from "./deployment.ts";
import { deviceTaintEviction } from "./device-taint-eviction.ts";
import { disruptionController } from "./disruption.ts";
import { endpointSliceController } from "./endpoint-slice.ts";
import { endpointSliceMirroringController } from "./endpoint-slice-mirroring.ts";
import { endpointsController } from "./endpoints.ts";
import { ephemeralVolume } from "./ephemeral-volume.ts";
import { eventTtlController } from "./event-ttl.ts";
import { flowSchemaStatus } from "./flow-schema-status.ts";
import { horizontalPodAutoscaler } from "./horizontal-pod-autoscaler.ts";
import { ipAddress } from "./ip-address.ts";
import { job } from "./job.ts";
import { localPathController } from "./local-path.ts";
import { localPathLost } from "./local-path-lost.ts";
import { localPathResize } from "./local-path-resize.ts";
import { namespaceController } from "./namespace.ts";
import { nodeIpam } from "./node-ipam.ts";
import { nodeLifecycle } from "./node-lifecycle.ts";
import { persistentVolumeController } from "./persistent-volume.ts";
import { podGarbageCollector } from "./pod-garbage-collector.ts";
import { replicaSetController, replicationController } from "./replica-set.ts";
import { resourceClaimTemplate } from "./resource-claim-template.ts";
import { resourceClaim } from "./resource-claim.ts";
import { resourceQuotaController } from "./resource-quota.ts";
import { rootCaController } from "./root-ca.ts";
import type { Controller } from "./runtime.ts";
import { serviceAccountController } from "./service-account.ts";
import { serviceAccountToken } from "./service-account-token.ts";
import type { TokenMaker } from "./service-account-token.ts";
import { serviceLoadBalancer } from "./service-load-balancer.ts";
import { serviceCidr } from "./service-cidr.ts";
import { statefulSet } from "./stateful-set.ts";
import { tokenCleaner } from "./token-cleaner.ts";
import { ttlAfterFinished } from "./ttl-after-finished.ts";
import { claimProtection, volumeProtection } from "./volume-protection.ts";

/** What controllers need of the cluster's authority. */
export interface Authority extends Signing, TokenMaker {
  /** All addresses of pods, by family, the cluster's own first. */
  clusterCidrs: string[];
  /** Ports of nodes on which the site itself answers. */
  reservedPorts: ReadonlySet<number>;
  /** How long nodes that do not say may be away before their pods are replaced. */
  autonomy?: string | undefined;
  /** Its certificate of now, as PEM. */
  ca(): string;
}

export const controllers = (authority: Authority): Controller[] => [
  attachDetach,
  bootstrapSigner,
  clusterInfo(authority.ca),
  clusterRoleAggregation,
  cronJob,
  csrApproving(authority),
  csrCleaner,
  csrSigning(authority),
  daemonSet,
  deploymentController,
  deviceTaintEviction,
  disruptionController,
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  ephemeralVolume,
  eventTtlController,
  flowSchemaStatus,
  horizontalPodAutoscaler(),
  ipAddress,
  job,
  localPathController,
  localPathLost,
  localPathResize,
  namespaceController,
  nodeIpam(authority.clusterCidrs),
  nodeLifecycle(authority.autonomy),
  claimProtection,
  persistentVolumeController,
  podGarbageCollector,
  replicaSetController,
  replicationController,
  resourceClaim,
  resourceClaimTemplate,
  resourceQuotaController(),
  rootCaController(authority.ca),
  serviceAccountController,
  serviceAccountToken(authority),
  serviceCidr,
  serviceLoadBalancer(authority.reservedPorts),
  statefulSet,
  tokenCleaner,
  ttlAfterFinished,
  volumeProtection,
];
