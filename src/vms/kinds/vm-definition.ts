// The CustomResourceDefinition of a kind of the wing.
import type { Definition } from "../../client/definitions.ts";
import type { Schema } from "../../kinds/schema.ts";

interface VmColumn {
  name: string;
  jsonPath: string;
  /** Default: string. */
  type?: string;
  priority?: number;
}

export interface VmKind {
  group: string;
  /** The first is stored. */
  versions: string[];
  /** Further ones, of the same shape, that clients are told to leave. */
  deprecated?: string[];
  kind: string;
  plural: string;
  shortNames?: string[];
  scope?: "Cluster" | "Namespaced";
  columns?: VmColumn[];
  schema: Schema;
  subresources?: Record<string, unknown>;
  categories?: string[];
}

export const age = { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" };
export const phase = { name: "Phase", jsonPath: ".status.phase" };

/** Shows the status of a condition. */
export const condition = (type: string, name = type, priority = 0) => ({
  name,
  jsonPath: `.status.conditions[?(@.type=='${type}')].status`,
  priority,
});

export const withStatus = { status: {} };

/** Followed by HorizontalPodAutoscalers; the label selector says whose usage counts. */
export const withScale = {
  status: {},
  scale: {
    specReplicasPath: ".spec.replicas",
    statusReplicasPath: ".status.replicas",
    labelSelectorPath: ".status.labelSelector",
  },
};

/** `metadata`, `kind` and `apiVersion` are every object's. */
function ownFields({ properties = {}, ...schema }: Schema): Schema {
  const { apiVersion: _, kind: __, metadata: ___, ...own } = properties;
  return { ...schema, properties: own };
}

export function vmDefinition(options: VmKind): Definition {
  const { group, kind, plural, shortNames = [], scope = "Namespaced", columns = [] } = options;
  const schema = ownFields(options.schema);
  const names = {
    ...{ kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames },
    ...(options.categories && { categories: options.categories }),
  };
  const { deprecated = [] } = options;
  const versions = [...options.versions, ...deprecated].map((name, index) => ({
    ...{ name, served: true, storage: index === 0, schema: { openAPIV3Schema: schema } },
    ...(deprecated.includes(name) && { deprecated: true }),
    ...(options.subresources && { subresources: options.subresources }),
    additionalPrinterColumns: columns.map((column) => ({ type: "string", ...column })),
  }));
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope, names, versions },
  };
}
