// Kinds of Open Cluster Management as resources.
import { resource } from "../../client/client.ts";
import type { Definition } from "../../client/definitions.ts";
import all from "./data/definitions.json" with { type: "json" };

const cluster = "cluster.open-cluster-management.io";
const work = "work.open-cluster-management.io";

export const managedClusters = resource(`${cluster}/v1`, "managedclusters");
export const managedClusterSets = resource(`${cluster}/v1beta2`, "managedclustersets");
export const clusterClaims = resource(`${cluster}/v1alpha1`, "clusterclaims");
export const manifestWorks = resource(`${work}/v1`, "manifestworks");
export const appliedManifestWorks = resource(`${work}/v1`, "appliedmanifestworks");

const definitionsOf = (...plurals: string[]) =>
  (all as Definition[]).filter(({ spec }) => plurals.includes(spec.names.plural));

export const hubDefinitions = definitionsOf(
  "managedclusters",
  "managedclustersets",
  "manifestworks",
);

/** What a site serves for itself. */
export const memberDefinitions = definitionsOf("appliedmanifestworks", "clusterclaims");
