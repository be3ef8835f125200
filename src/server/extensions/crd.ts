// CustomResourceDefinition, as far as the server reads it (apiextensions.k8s.io/v1).
import type { KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import type { ClientConfig } from "../admission/webhooks/configuration.ts";
import { hasRules } from "./validation-rules.ts";

export interface CrdNames {
  plural: string;
  kind: string;
  singular?: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: Schema };
  subresources?: {
    status?: object;
    scale?: {
      specReplicasPath: string;
      statusReplicasPath: string;
      labelSelectorPath?: string;
    };
  };
  additionalPrinterColumns?: {
    name: string;
    type: "string" | "integer" | "number" | "boolean" | "date";
    format?: string;
    description?: string;
    priority?: number;
    jsonPath: string;
  }[];
  selectableFields?: { jsonPath: string }[];
}

export interface Conversion {
  strategy: string;
  webhook?: { clientConfig?: ClientConfig; conversionReviewVersions?: string[] };
}

export interface CrdCondition {
  type: string;
  status: "True" | "False" | "Unknown";
  lastTransitionTime?: string;
  reason?: string;
  message?: string;
}

export interface CrdStatus {
  acceptedNames?: CrdNames;
  conditions?: CrdCondition[];
  storedVersions?: string[];
}

export interface Crd extends KubeObject {
  spec: {
    group: string;
    scope: "Namespaced" | "Cluster";
    names: CrdNames;
    versions: CrdVersion[];
    conversion?: Conversion;
    preserveUnknownFields?: boolean;
  };
  status?: CrdStatus | undefined;
}

export const crdPlural = "customresourcedefinitions";
export const crdGroup = "apiextensions.k8s.io";
export const crdPrefix = `${crdPlural}.${crdGroup}/`;

/** Held by every definition until its objects are gone. */
export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/** True when CEL is needed to judge the definition or its objects. */
export const crdHasRules = ({ spec }: Crd) =>
  (spec?.versions ?? []).some(({ schema }) => hasRules(schema?.openAPIV3Schema ?? {}));

export const conditionOf = (status: CrdStatus | undefined, type: string) =>
  status?.conditions?.find((condition) => condition.type === type);

export const isTrue = (status: CrdStatus | undefined, type: string) =>
  conditionOf(status, type)?.status === "True";
