// Kinds of Open Cluster Management as resources.
import { resource } from "../../client/client.ts";
import type { Definition } from "../../client/definitions.ts";
import { alarmRuleDefinition } from "./alarm-rule.ts";
import { alarmDefinition } from "./alarm.ts";
import { autoAcceptRuleDefinition } from "./auto-accept-rule.ts";
import { managedClusterAddOnDefinition } from "./managed-cluster-add-on.ts";
import { maintenanceWindowDefinition } from "./maintenance-window.ts";
import { overrideDefinition } from "./override.ts";
import { clusterProfileDefinition } from "./cluster-profile.ts";
import { siteDefinition } from "./site.ts";
import { siteGroupDefinition } from "./site-group.ts";
import { siteOperationDefinition } from "./site-operation.ts";
import { updateStrategyDefinition } from "./update-strategy.ts";
import all from "./data/definitions.json" with { type: "json" };

const cluster = "cluster.open-cluster-management.io";
const work = "work.open-cluster-management.io";
const addOn = "addon.open-cluster-management.io";

export const managedClusters = resource(`${cluster}/v1`, "managedclusters");
export const managedClusterSets = resource(`${cluster}/v1beta2`, "managedclustersets");
export const clusterClaims = resource(`${cluster}/v1alpha1`, "clusterclaims");
export const managedClusterSetBindings = resource(
  `${cluster}/v1beta2`,
  "managedclustersetbindings",
);
export const placements = resource(`${cluster}/v1beta1`, "placements");
export const placementDecisions = resource(`${cluster}/v1beta1`, "placementdecisions");
export const addOnPlacementScores = resource(`${cluster}/v1alpha1`, "addonplacementscores");
export const managedClusterAddOns = resource(`${addOn}/v1alpha1`, "managedclusteraddons");
export const manifestWorkReplicaSets = resource(`${work}/v1alpha1`, "manifestworkreplicasets");
export const manifestWorks = resource(`${work}/v1`, "manifestworks");
export const appliedManifestWorks = resource(`${work}/v1`, "appliedmanifestworks");

const definitionsOf = (...plurals: string[]) =>
  (all as Definition[]).filter(({ spec }) => plurals.includes(spec.names.plural));

export const hubDefinitions = [
  ...definitionsOf(
    "managedclusters",
    "managedclustersets",
    "managedclustersetbindings",
    "placements",
    "placementdecisions",
    "addonplacementscores",
    "manifestworks",
    "manifestworkreplicasets",
  ),
  managedClusterAddOnDefinition,
  autoAcceptRuleDefinition,
  overrideDefinition,
  maintenanceWindowDefinition,
  alarmDefinition,
  alarmRuleDefinition,
  siteDefinition,
  siteGroupDefinition,
  siteOperationDefinition,
  updateStrategyDefinition,
  clusterProfileDefinition,
];

/** What a site serves for itself. */
export const memberDefinitions = [
  ...definitionsOf("appliedmanifestworks", "clusterclaims"),
  alarmDefinition,
  alarmRuleDefinition,
];
