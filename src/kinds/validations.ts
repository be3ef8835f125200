// Which kinds are judged beyond their schema and metadata. One line a kind.
import type { FieldError } from "../lib/status-error.ts";
import { webhookConfigurationErrors } from "./admissionregistration/validation.ts";
import { apiServiceErrors } from "./apiregistration/api-service.ts";
import { workloadErrors } from "./apps/validation.ts";
import { cronJobErrors, jobErrors } from "./batch/validation.ts";
import { podErrors } from "./core/pod-validation.ts";
import { claimErrors, dataErrors, serviceErrors } from "./core/validation.ts";
import { jsonEqual } from "../lib/json.ts";
import { invalidValue, required } from "./field-checks.ts";
import { flowSchemaErrors, priorityLevelErrors } from "./flowcontrol/validation.ts";
import { immutableErrors } from "./immutable.ts";
import type { Change } from "./kind.ts";
import { ipAddressErrors, serviceCidrErrors } from "./networking/validation.ts";
import { resourceClaimErrors, resourceClaimTemplateErrors } from "./resource/validation.ts";
import { metadataErrors } from "./validate-metadata.ts";

type Validate = (change: Change) => FieldError[];

const bindingErrors: Validate = ({ object, old }) => {
  if (!object["roleRef"]?.name) return [required("roleRef.name")];
  if (!old || jsonEqual(old["roleRef"], object["roleRef"])) return [];
  return [invalidValue("roleRef", object["roleRef"], "cannot change roleRef")];
};

const validations: Record<string, Validate> = {
  configmaps: dataErrors,
  persistentvolumeclaims: claimErrors,
  pods: podErrors,
  secrets: dataErrors,
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
  "ipaddresses.networking.k8s.io": ipAddressErrors,
  "servicecidrs.networking.k8s.io": serviceCidrErrors,
  "resourceclaims.resource.k8s.io": resourceClaimErrors,
  "resourceclaimtemplates.resource.k8s.io": resourceClaimTemplateErrors,
  "clusterrolebindings.rbac.authorization.k8s.io": bindingErrors,
  "rolebindings.rbac.authorization.k8s.io": bindingErrors,
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
