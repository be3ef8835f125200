// What the inventory says of a member. Pure.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Condition } from "../../lib/conditions.ts";
import { clusterProfiles } from "../kinds/cluster-profile.ts";
import { clusterNameLabel, clusterSetLabel } from "../names.ts";
import { availableType } from "../registration/availability.ts";

/** By KEP-4322 a namespace is an inventory. */
export const inventoryNamespace = "cluster-inventory";
export const managerName = "open-cluster-management";
const managerLabel = "x-k8s.io/cluster-manager";

export interface ProfileStatus {
  version?: { kubernetes: string };
  properties: { name: string; value: string }[];
  conditions: Condition[];
}

export const profileDraft = ({
  metadata: { name },
}: KubeObject): Draft & { metadata: { name: string } } => ({
  apiVersion: `${clusterProfiles.group}/${clusterProfiles.version}`,
  kind: "ClusterProfile",
  metadata: {
    ...{ name, namespace: inventoryNamespace },
    labels: { [managerLabel]: managerName, [clusterNameLabel]: name },
  },
  spec: { displayName: name, clusterManager: { name: managerName } },
});

function told({ status }: KubeObject, type: string, as: string): Condition {
  const found: Condition | undefined = status?.conditions?.find(
    (one: Condition) => one.type === type,
  );
  const { status: is = "Unknown", reason = "NotTold", message = "" } = found ?? {};
  return { type: as, status: is, reason, message };
}

export function profileStatus(cluster: KubeObject): ProfileStatus {
  const set = cluster.metadata.labels?.[clusterSetLabel];
  const claims: { name: string; value: string }[] = cluster.status?.clusterClaims ?? [];
  const kubernetes = cluster.status?.version?.kubernetes;
  return {
    ...(kubernetes && { version: { kubernetes } }),
    properties: [
      ...claims.map(({ name, value }) => ({ name, value })),
      ...(set ? [{ name: "clusterset.k8s.io", value: set }] : []),
    ],
    conditions: [
      told(cluster, availableType, "ControlPlaneHealthy"),
      told(cluster, "ManagedClusterJoined", "Joined"),
    ],
  };
}
