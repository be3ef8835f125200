// ManagedClusterAddOn: kept for add-ons of others and for their agents, which wait until they see it served. Nobody
// here acts on it, so it is kept as it was written, in both of its versions.
import type { Definition } from "../../client/definitions.ts";

const group = "addon.open-cluster-management.io";
const plural = "managedclusteraddons";

const conditionColumn = (type: string) => ({
  name: type,
  type: "string",
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
});

const version = (name: string, storage: boolean) => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    },
  },
  subresources: { status: {} },
  additionalPrinterColumns: ["Available", "Degraded", "Progressing"].map(conditionColumn),
});

export const managedClusterAddOnDefinition: Definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    names: {
      ...{ kind: "ManagedClusterAddOn", listKind: "ManagedClusterAddOnList" },
      ...{ plural, singular: "managedclusteraddon", shortNames: ["mca", "mcas"] },
    },
    scope: "Namespaced",
    versions: [version("v1alpha1", true), version("v1beta1", false)],
  },
};
