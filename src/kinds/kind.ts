// A kind is data. Everything the server, the client and the CLI know of a kind, they read
// from a value of this type; adding a kind adds a value and touches none of them.
import type { FieldError } from "../lib/status-error.ts";
import type { Draft, KubeObject } from "./object.ts";
import type { Schema } from "./schema.ts";

export type Verb =
  | "create"
  | "get"
  | "list"
  | "watch"
  | "update"
  | "patch"
  | "delete"
  | "deletecollection";

/** A column of `kubectl get`. Either `path` (a dotted or JSONPath-like path) or `cell` gives the value. */
export interface Column {
  name: string;
  type: "string" | "integer" | "number" | "boolean" | "date";
  format?: string;
  description?: string;
  /** 0 is always shown, 1 and more only with `-o wide`. */
  priority: number;
  /** CRD columns: JSONPath as in `additionalPrinterColumns`. */
  jsonPath?: string;
  /** Built-in columns: computes the cell. `now` is the wall clock in ms, for ages. */
  cell?: (object: KubeObject, now: number) => string | number | boolean | null;
}

/** Where the scale subresource finds its numbers; paths start with a dot. */
export interface ScalePaths {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

/** A write being judged. `old` is absent on create. */
export interface Change {
  object: KubeObject;
  old?: KubeObject;
  /** "" for the object itself, else "status", "scale", ... */
  subresource: string;
}

/** How a kind of a CustomResourceDefinition reads what may have been stored by an older one. */
export interface StoredForm {
  /** What lies at this version and was written after this revision is complete as it lies. */
  completeAfter: number;
  /**
   * The object, the caller's own, as this version shows it: pruned and defaulted. It is of this
   * version, or of any when there is no `convert`.
   */
  read(object: KubeObject): KubeObject;
  /** Converts by asking somebody else, all at once. Rejects with a StatusError. */
  convert?: (objects: KubeObject[], apiVersion: string) => Promise<KubeObject[]>;
}

/** A served resource at one version. */
export interface Kind {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  /** The resource's name in URLs. */
  plural: string;
  singular: string;
  shortNames: string[];
  categories: string[];
  namespaced: boolean;
  verbs: Verb[];
  schema: Schema;
  columns: Column[];
  /** Subresources served besides the object: "status", "scale", "log", "exec", ... */
  subresources: string[];
  scale?: ScalePaths;
  /** Field selectors beyond metadata.name and metadata.namespace, as dotted paths. */
  selectableFields?: string[];
  /** Selectable fields that lie elsewhere than they say, or read as more than "" when absent. */
  fieldReads?: Record<string, { path?: string; otherwise?: string; absent?: string }>;
  /** The version objects are stored at, when several versions are served. Default: this one. */
  storageVersion?: string;
  /**
   * Another resource whose stored objects this one shows (events.k8s.io shows core events):
   * `{ group, plural }` of the owner of the storage.
   */
  storedAs?: { group: string; plural: string };
  /** Kept in memory and written seldom (leases, events): invariant 5. */
  volatile?: boolean;
  /** Objects that are answered and never stored (reviews). Then `verbs` is just create. */
  virtual?: boolean;
  /** Short rules by which most kinds differ; absent means the ordinary behaviour. */
  /** Fills defaults that no schema can express. Called on decoded bodies, after schema defaults. */
  defaults?: (object: Draft) => void;
  /** Called on create after defaults, before validation: clears status and fills server-owned fields. */
  prepareForCreate?: (object: KubeObject) => void;
  /** Called on update: carries over what the client may not change. */
  prepareForUpdate?: (object: KubeObject, old: KubeObject) => void;
  /** What the schema cannot say. Errors are collected, not thrown. */
  validate?: (change: Change) => readonly FieldError[];
  /** Converts between this kind's stored form and this version; absent when they are the same but for apiVersion. */
  convert?: {
    fromStored: (object: KubeObject) => KubeObject;
    toStored: (object: KubeObject) => KubeObject;
  };
  /** Instead of `convert`: for kinds that change while the server runs. */
  storedForm?: StoredForm;
}

export const apiVersionOf = (kind: { group: string; version: string }) =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version;
