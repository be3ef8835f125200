// What a placement reads, as OCM's API has it. Fields that schemas default may be absent here.
import type { KubeObject, ObjectMeta } from "../../kinds/object.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";
import type { Taint, Toleration } from "../../lib/taint.ts";

export interface ManagedCluster extends KubeObject {
  spec: { hubAcceptsClient?: boolean; taints?: Taint[] };
  status?: {
    clusterClaims?: { name: string; value: string }[];
    allocatable?: Record<string, string>;
    capacity?: Record<string, string>;
    conditions?: { type: string; status: string }[];
  };
}

export interface ManagedClusterSet {
  metadata: { name: string };
  spec: { clusterSelector?: { selectorType?: string; labelSelector?: LabelSelector } };
}

export interface ClusterSelector {
  labelSelector?: LabelSelector;
  claimSelector?: Pick<LabelSelector, "matchExpressions">;
  celSelector?: { celExpressions?: string[] };
}

export interface ScoreCoordinate {
  type?: string;
  builtIn?: string;
  addOn?: { resourceName: string; scoreName: string };
}

export interface SpreadConstraint {
  topologyKey: string;
  topologyKeyType: string;
  maxSkew?: number;
  whenUnsatisfiable?: string;
}

export interface DecisionGroup {
  groupName: string;
  groupClusterSelector?: ClusterSelector;
}

export interface PlacementSpec {
  clusterSets?: string[];
  numberOfClusters?: number;
  predicates?: { requiredClusterSelector?: ClusterSelector }[];
  prioritizerPolicy?: {
    mode?: string;
    configurations?: { scoreCoordinate?: ScoreCoordinate; weight?: number }[];
  };
  spreadPolicy?: { spreadConstraints?: SpreadConstraint[] };
  tolerations?: Toleration[];
  decisionStrategy?: {
    groupStrategy?: {
      decisionGroups?: DecisionGroup[];
      clustersPerDecisionGroup?: number | string;
    };
  };
  sortBy?: string;
}

export interface Placement extends KubeObject {
  metadata: ObjectMeta & { namespace: string };
  spec: PlacementSpec;
}

export interface AddOnPlacementScore {
  metadata: { name: string; namespace: string };
  status?: { scores?: { name: string; value: number }[]; validUntil?: string };
}

/** Whether a cluster satisfies a CEL expression; throws for an expression that is none. */
export type CelMatch = (expression: string, cluster: ManagedCluster) => boolean;

/** A placement that says something that cannot be done. */
export class Misconfigured extends Error {}

export const claimsOf = (cluster: ManagedCluster) =>
  Object.fromEntries((cluster.status?.clusterClaims ?? []).map(({ name, value }) => [name, value]));
