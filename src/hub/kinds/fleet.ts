// Kerb's own kinds of a fleet: what Open Cluster Management has no words for.
import type { Definition } from "../../client/definitions.ts";
import { resource } from "../../client/client.ts";
import type { Schema } from "../../kinds/schema.ts";

export const fleetGroup = "fleet.kerb.dev";
const version = "v1alpha1";
const of = (plural: string) => resource(`${fleetGroup}/${version}`, plural);

export const overrides = of("overrides");
export const maintenanceWindows = of("maintenancewindows");
export const autoAcceptRules = of("autoacceptrules");
export const alarms = of("alarms");
export const alarmRules = of("alarmrules");
export const sites = of("sites");
export const siteGroups = of("sitegroups");
export const siteOperations = of("siteoperations");
export const updateStrategies = of("updatestrategies");

export interface Column {
  name: string;
  jsonPath: string;
  type?: string;
  priority?: number;
}

export interface FleetKind {
  kind: string;
  plural: string;
  shortNames?: string[];
  scope: "Cluster" | "Namespaced";
  columns: Column[];
  spec: Schema;
  status?: Schema;
}

/** The CustomResourceDefinition of a kind of this group. */
export function fleetDefinition(options: FleetKind): Definition {
  const { kind, plural, shortNames = [], scope, columns, spec, status } = options;
  const served = {
    name: version,
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: "object",
        required: ["spec"],
        properties: { spec, ...(status && { status }) },
      },
    },
    ...(status && { subresources: { status: {} } }),
    additionalPrinterColumns: columns.map((column) => ({ type: "string", ...column })),
  };
  const names = { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${fleetGroup}` },
    spec: { group: fleetGroup, scope, names, versions: [served] },
  };
}

/** `meta/v1 LabelSelector`. */
export const labelSelector: Schema = {
  type: "object",
  properties: {
    matchLabels: { type: "object", additionalProperties: { type: "string" } },
    matchExpressions: {
      type: "array",
      items: {
        type: "object",
        required: ["key", "operator"],
        properties: {
          key: { type: "string" },
          operator: { type: "string", enum: ["In", "NotIn", "Exists", "DoesNotExist"] },
          values: { type: "array", items: { type: "string" } },
        },
      },
    },
  },
};
