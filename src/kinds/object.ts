// The shape every API object shares. Kinds' own fields are `any` on purpose at this level: their truth
// is the schema (data), and each controller narrows what it reads with an interface of its own.

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation: "Apply" | "Update";
  apiVersion: string;
  time?: string;
  fieldsType: "FieldsV1";
  fieldsV1: Record<string, unknown>;
  subresource?: string;
}

export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Nothing is written of what holds nothing, as upstream's encoders do. */
export function dropEmpty(metadata: Partial<ObjectMeta>) {
  for (const field of ["annotations", "finalizers", "labels", "ownerReferences"] as const) {
    const value = metadata[field];
    if (value && Object.keys(value).length === 0) delete metadata[field];
  }
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: any;
  status?: any;
  [field: string]: any;
}

/** What a client may send: the server fills in the rest of the metadata. */
export type Draft = {
  apiVersion: string;
  kind: string;
  metadata?: Partial<ObjectMeta>;
  [field: string]: any;
};

/** The reference to the controlling owner, if any. */
export const controllerOf = (object: { metadata: Partial<ObjectMeta> }) =>
  object.metadata.ownerReferences?.find((owner) => owner.controller);
