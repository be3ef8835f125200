// Which kinds have defaults beyond their schema. One line a kind.
import * as admission from "./admissionregistration/defaults.ts";
import { apiServiceDefaults } from "./apiregistration/api-service.ts";
import * as apps from "./apps/defaults.ts";
import * as batch from "./batch/defaults.ts";
import * as core from "./core/defaults.ts";
import { podDefaults, podSpecDefaults } from "./core/pod-defaults.ts";
import * as flowcontrol from "./flowcontrol/defaults.ts";
import type { Kind } from "./kind.ts";
import * as networking from "./networking/defaults.ts";
import { bindingDefaults } from "./rbac/defaults.ts";
import { resourceClaimDefaults, resourceClaimTemplateDefaults } from "./resource/defaults.ts";

/** By resource name: plural, a dot and the group unless core. */
export const kindDefaults: Record<string, NonNullable<Kind["defaults"]>> = {
  endpoints: core.endpointsDefaults,
  limitranges: core.limitRangeDefaults,
  namespaces: core.namespaceDefaults,
  persistentvolumeclaims: core.persistentVolumeClaimDefaults,
  persistentvolumes: core.persistentVolumeDefaults,
  pods: podDefaults,
  podtemplates: (object) => podSpecDefaults(object["template"]?.spec),
  replicationcontrollers: (object) => {
    const labels = object["spec"]?.template?.metadata?.labels;
    if (object["spec"] && labels) object["spec"].selector ??= labels;
    apps.replicaSetDefaults(object);
  },
  secrets: core.secretDefaults,
  services: core.serviceDefaults,
  "apiservices.apiregistration.k8s.io": apiServiceDefaults,
  "daemonsets.apps": apps.daemonSetDefaults,
  "deployments.apps": apps.deploymentDefaults,
  "replicasets.apps": apps.replicaSetDefaults,
  "statefulsets.apps": apps.statefulSetDefaults,
  "cronjobs.batch": batch.cronJobDefaults,
  "jobs.batch": batch.jobDefaults,
  "flowschemas.flowcontrol.apiserver.k8s.io": flowcontrol.flowSchemaDefaults,
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": flowcontrol.priorityLevelDefaults,
  "networkpolicies.networking.k8s.io": networking.networkPolicyDefaults,
  "ingressclasses.networking.k8s.io": networking.ingressClassDefaults,
  "rolebindings.rbac.authorization.k8s.io": bindingDefaults,
  "clusterrolebindings.rbac.authorization.k8s.io": bindingDefaults,
  "validatingwebhookconfigurations.admissionregistration.k8s.io":
    admission.validatingWebhookDefaults,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": admission.mutatingWebhookDefaults,
  "mutatingadmissionpolicies.admissionregistration.k8s.io": admission.admissionPolicyDefaults,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io":
    admission.admissionPolicyBindingDefaults,
  "validatingadmissionpolicies.admissionregistration.k8s.io": admission.admissionPolicyDefaults,
  "validatingadmissionpolicybindings.admissionregistration.k8s.io":
    admission.admissionPolicyBindingDefaults,
  "resourceclaims.resource.k8s.io": resourceClaimDefaults,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplateDefaults,
  "storageclasses.storage.k8s.io": (object) => {
    object["reclaimPolicy"] ??= "Delete";
    object["volumeBindingMode"] ??= "Immediate";
  },
  "priorityclasses.scheduling.k8s.io": (object) => {
    object["preemptionPolicy"] ??= "PreemptLowerPriority";
  },
};
