// Where the groups of this server stand among each other and among those of others (kube-apiserver's
// table). Clients that name a resource without its group get the one of the first group that has it.
import type { Priority } from "./api-service.ts";

const groups: Record<string, number> = {
  "": 18_000,
  apps: 17_800,
  "events.k8s.io": 17_750,
  "authentication.k8s.io": 17_700,
  "authorization.k8s.io": 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  "certificates.k8s.io": 17_300,
  "networking.k8s.io": 17_200,
  policy: 17_100,
  "rbac.authorization.k8s.io": 17_000,
  "storage.k8s.io": 16_800,
  "apiextensions.k8s.io": 16_700,
  "admissionregistration.k8s.io": 16_700,
  "scheduling.k8s.io": 16_600,
  "coordination.k8s.io": 16_500,
  "node.k8s.io": 16_300,
  "discovery.k8s.io": 16_200,
  "flowcontrol.apiserver.k8s.io": 16_100,
  "resource.k8s.io": 15_900,
  "apiregistration.k8s.io": 18_000,
};

const versions: Record<string, number> = { "/v1": 1, "autoscaling/v2": 30 };

/** Of a group that a release knows. */
export const builtinPriority = (group: string, version: string): Priority | undefined => {
  const found = groups[group];
  return found === undefined
    ? undefined
    : { group: found, version: versions[`${group}/${version}`] ?? 15 };
};

/** Of a group that a CustomResourceDefinition made. */
export const customPriority: Priority = { group: 1000, version: 100 };
