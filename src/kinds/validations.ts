// Which kinds are judged beyond their schema and metadata. One line a kind.
import type { FieldError } from "../lib/status-error.ts";
import { webhookConfigurationErrors } from "./admissionregistration/validation.ts";
import { apiServiceErrors } from "./apiregistration/api-service.ts";
import { workloadErrors } from "./apps/validation.ts";
import { autoscalerErrors } from "./autoscaling/validation.ts";
import { cronJobErrors, jobErrors } from "./batch/validation.ts";
import { limitRangeErrors, quotaErrors } from "./core/limits-validation.ts";
import { podErrors } from "./core/pod-validation.ts";
import { replicationControllerErrors } from "./core/replication-controller-validation.ts";
import { secretErrors } from "./core/secret-validation.ts";
import { claimErrors, dataErrors, serviceErrors } from "./core/validation.ts";
import { flowSchemaErrors, priorityLevelErrors } from "./flowcontrol/validation.ts";
import { immutableErrors } from "./immutable.ts";
import type { Change } from "./kind.ts";
import { ingressErrors } from "./networking/ingress-validation.ts";
import { networkPolicyErrors } from "./networking/policy-validation.ts";
import { ipAddressErrors, serviceCidrErrors } from "./networking/validation.ts";
import { disruptionBudgetErrors } from "./policy/validation.ts";
import {
  clusterRoleBindingErrors,
  clusterRoleErrors,
  roleBindingErrors,
  roleErrors,
} from "./rbac/validation.ts";
import { resourceClaimErrors, resourceClaimTemplateErrors } from "./resource/validation.ts";
import { priorityClassErrors } from "./scheduling/validation.ts";
import { persistentVolumeErrors, storageClassErrors } from "./storage/validation.ts";
import { metadataErrors } from "./validate-metadata.ts";

type Validate = (change: Change) => FieldError[];

const validations: Record<string, Validate> = {
  configmaps: dataErrors,
  persistentvolumeclaims: claimErrors,
  persistentvolumes: persistentVolumeErrors,
  pods: podErrors,
  limitranges: limitRangeErrors,
  resourcequotas: quotaErrors,
  replicationcontrollers: replicationControllerErrors,
  secrets: secretErrors,
  services: serviceErrors,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationErrors,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfigurationErrors,
  "apiservices.apiregistration.k8s.io": apiServiceErrors,
  "daemonsets.apps": workloadErrors,
  "deployments.apps": workloadErrors,
  "replicasets.apps": workloadErrors,
  "statefulsets.apps": workloadErrors,
  "cronjobs.batch": cronJobErrors,
  "jobs.batch": jobErrors,
  "flowschemas.flowcontrol.apiserver.k8s.io": flowSchemaErrors,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevelErrors,
  "horizontalpodautoscalers.autoscaling": autoscalerErrors,
  "ingresses.networking.k8s.io": ingressErrors,
  "networkpolicies.networking.k8s.io": networkPolicyErrors,
  "poddisruptionbudgets.policy": disruptionBudgetErrors,
  "ipaddresses.networking.k8s.io": ipAddressErrors,
  "servicecidrs.networking.k8s.io": serviceCidrErrors,
  "priorityclasses.scheduling.k8s.io": priorityClassErrors,
  "storageclasses.storage.k8s.io": storageClassErrors,
  "resourceclaims.resource.k8s.io": resourceClaimErrors,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplateErrors,
  "clusterrolebindings.rbac.authorization.k8s.io": clusterRoleBindingErrors,
  "clusterroles.rbac.authorization.k8s.io": clusterRoleErrors,
  "rolebindings.rbac.authorization.k8s.io": roleBindingErrors,
  "roles.rbac.authorization.k8s.io": roleErrors,
};

/** How objects of a built-in resource are judged. */
export function validationOf(resource: string): Validate {
  const own = validations[resource];
  return (change) => [
    ...metadataErrors(change.object, resource),
    ...immutableErrors(resource, change),
    ...(own?.(change) ?? []),
  ];
}
