// Which kinds are judged beyond their schema and metadata. One line a kind.
import { jsonEqual } from "../lib/json.ts";
import {
  mutatingBindingErrors,
  mutatingPolicyErrors,
  validatingBindingErrors,
  validatingPolicyErrors,
} from "./admissionregistration/policy-validation.ts";
import { webhookConfigurationErrors } from "./admissionregistration/webhook-validation.ts";
import { apiServiceErrors } from "./apiregistration/api-service.ts";
import { controllerRevisionErrors, workloadErrors } from "./apps/validation.ts";
import { autoscalerErrors } from "./autoscaling/validation.ts";
import { jobErrors } from "./batch/job-validation.ts";
import { cronJobErrors } from "./batch/validation.ts";
import { claimErrors } from "./core/claim-validation.ts";
import { certificateRequestErrors } from "./certificates/validation.ts";
import { leaseErrors } from "./coordination/validation.ts";
import { endpointsErrors, endpointSliceErrors } from "./core/endpoints-validation.ts";
import { namespaceErrors, nodeErrors } from "./core/node-validation.ts";
import { eventErrors, newEventErrors } from "./events/validation.ts";
import { limitRangeErrors, quotaErrors } from "./core/limits-validation.ts";
import { podErrors, podMetadataErrors } from "./core/pod-validation.ts";
import {
  podTemplateErrors,
  replicationControllerErrors,
} from "./core/replication-controller-validation.ts";
import { secretErrors } from "./core/secret-validation.ts";
import { dataErrors } from "./core/data-validation.ts";
import { serviceErrors } from "./core/service-validation.ts";
import { flowSchemaErrors, priorityLevelErrors } from "./flowcontrol/validation.ts";
import { immutableErrors } from "./immutable.ts";
import type { Change } from "./kind.ts";
import type { KubeObject } from "./object.ts";
import { runtimeClassErrors } from "./node/validation.ts";
import { ingressClassErrors, ingressErrors } from "./networking/ingress-validation.ts";
import { networkPolicyErrors } from "./networking/policy-validation.ts";
import { ipAddressErrors, serviceCidrErrors } from "./networking/validation.ts";
import { disruptionBudgetErrors } from "./policy/validation.ts";
import {
  clusterRoleBindingErrors,
  clusterRoleErrors,
  roleBindingErrors,
  roleErrors,
} from "./rbac/validation.ts";
import { resourceClaimErrors } from "./resource/claim-status-validation.ts";
import { deviceClassErrors, resourceClaimTemplateErrors } from "./resource/claim-validation.ts";
import { resourceSliceErrors } from "./resource/slice-validation.ts";
import { priorityClassErrors } from "./scheduling/validation.ts";
import { persistentVolumeErrors } from "./storage/persistent-volume-validation.ts";
import {
  csiDriverErrors,
  csiNodeErrors,
  storageCapacityErrors,
  storageClassErrors,
  volumeAttachmentErrors,
  volumeAttributesClassErrors,
} from "./storage/validation.ts";
import { jobStatusErrors } from "./statuses/job-status.ts";
import {
  attachmentStatusErrors,
  autoscalerStatusErrors,
  certificateStatusErrors,
  claimStatusErrors,
  disruptionBudgetStatusErrors,
  ingressStatusErrors,
  namespaceStatusErrors,
  policyStatusErrors,
  quotaStatusErrors,
  serviceStatusErrors,
} from "./statuses/other-statuses.ts";
import { podStatusErrors } from "./statuses/pod-status.ts";
import {
  daemonSetStatusErrors,
  deploymentStatusErrors,
  replicaSetStatusErrors,
  statefulSetStatusErrors,
} from "./statuses/workload-status.ts";
import { none } from "./rules.ts";
import type { Errors } from "./rules.ts";
import { metadataErrors } from "./validate-metadata.ts";

type Validate = (change: Change) => Errors;

const validations: Record<string, Validate> = {
  configmaps: dataErrors,
  persistentvolumeclaims: claimErrors,
  persistentvolumes: persistentVolumeErrors,
  pods: podErrors,
  podtemplates: podTemplateErrors,
  limitranges: limitRangeErrors,
  endpoints: endpointsErrors,
  events: eventErrors,
  namespaces: namespaceErrors,
  nodes: nodeErrors,
  resourcequotas: quotaErrors,
  replicationcontrollers: replicationControllerErrors,
  secrets: secretErrors,
  services: serviceErrors,
  "mutatingadmissionpolicies.admissionregistration.k8s.io": mutatingPolicyErrors,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": mutatingBindingErrors,
  "validatingadmissionpolicies.admissionregistration.k8s.io": validatingPolicyErrors,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": validatingBindingErrors,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationErrors,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationErrors,
  "apiservices.apiregistration.k8s.io": apiServiceErrors,
  "controllerrevisions.apps": controllerRevisionErrors,
  "daemonsets.apps": workloadErrors,
  "deployments.apps": workloadErrors,
  "replicasets.apps": workloadErrors,
  "statefulsets.apps": workloadErrors,
  "cronjobs.batch": cronJobErrors,
  "jobs.batch": jobErrors,
  "flowschemas.flowcontrol.apiserver.k8s.io": flowSchemaErrors,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevelErrors,
  "horizontalpodautoscalers.autoscaling": autoscalerErrors,
  "endpointslices.discovery.k8s.io": endpointSliceErrors,
  "events.events.k8s.io": newEventErrors,
  "ingressclasses.networking.k8s.io": ingressClassErrors,
  "ingresses.networking.k8s.io": ingressErrors,
  "networkpolicies.networking.k8s.io": networkPolicyErrors,
  "certificatesigningrequests.certificates.k8s.io": certificateRequestErrors,
  "leases.coordination.k8s.io": leaseErrors,
  "runtimeclasses.node.k8s.io": runtimeClassErrors,
  "poddisruptionbudgets.policy": disruptionBudgetErrors,
  "ipaddresses.networking.k8s.io": ipAddressErrors,
  "servicecidrs.networking.k8s.io": serviceCidrErrors,
  "priorityclasses.scheduling.k8s.io": priorityClassErrors,
  "csidrivers.storage.k8s.io": csiDriverErrors,
  "csinodes.storage.k8s.io": csiNodeErrors,
  "csistoragecapacities.storage.k8s.io": storageCapacityErrors,
  "storageclasses.storage.k8s.io": storageClassErrors,
  "volumeattachments.storage.k8s.io": volumeAttachmentErrors,
  "volumeattributesclasses.storage.k8s.io": volumeAttributesClassErrors,
  "deviceclasses.resource.k8s.io": deviceClassErrors,
  "resourceclaims.resource.k8s.io": resourceClaimErrors,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplateErrors,
  "resourceslices.resource.k8s.io": resourceSliceErrors,
  "clusterrolebindings.rbac.authorization.k8s.io": clusterRoleBindingErrors,
  "clusterroles.rbac.authorization.k8s.io": clusterRoleErrors,
  "rolebindings.rbac.authorization.k8s.io": roleBindingErrors,
  "roles.rbac.authorization.k8s.io": roleErrors,
};

/** What is told of objects, where more than their own rules judges it. */
const statuses: Record<string, Validate> = {
  namespaces: namespaceStatusErrors,
  persistentvolumeclaims: claimStatusErrors,
  pods: podStatusErrors,
  replicationcontrollers: replicaSetStatusErrors,
  resourcequotas: quotaStatusErrors,
  services: serviceStatusErrors,
  "validatingadmissionpolicies.admissionregistration.k8s.io": policyStatusErrors,
  "daemonsets.apps": daemonSetStatusErrors,
  "deployments.apps": deploymentStatusErrors,
  "replicasets.apps": replicaSetStatusErrors,
  "statefulsets.apps": statefulSetStatusErrors,
  "horizontalpodautoscalers.autoscaling": autoscalerStatusErrors,
  "jobs.batch": jobStatusErrors,
  "certificatesigningrequests.certificates.k8s.io": certificateStatusErrors,
  "ingresses.networking.k8s.io": ingressStatusErrors,
  "poddisruptionbudgets.policy": disruptionBudgetStatusErrors,
  "volumeattachments.storage.k8s.io": attachmentStatusErrors,
};

/** What an object's metadata says to the cluster, judged at every write. */
const ofMetadata: Record<string, Validate> = { pods: podMetadataErrors };

/** True when nothing but metadata, and what is told of it, differs. */
function isSame(now: KubeObject, old: KubeObject): boolean {
  const { metadata: _, status: _s, ...one } = now;
  const { metadata: __, status: __s, ...other } = old;
  return jsonEqual(one, other);
}

/**
 * How objects of a built-in resource are judged. What is there already and does not change was judged when it
 * came: rules that have become stricter since do not keep it from being labelled, scaled down or let go.
 */
export function validationOf(resource: string): Validate {
  const own = validations[resource];
  const metadata = ofMetadata[resource];
  const status = statuses[resource];
  return (change) => {
    const { object, old, subresource } = change;
    const errors = [
      ...metadataErrors(change, resource),
      ...(metadata?.(change) ?? none),
      ...immutableErrors(resource, change),
    ];
    if (!own || (old && subresource === "" && isSame(object, old))) return errors;
    if (subresource === "status" && status) return [...errors, ...own(change), ...status(change)];
    return [...errors, ...own(change)];
  };
}
