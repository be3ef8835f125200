// The only window on the world that controllers, agents, wings, CLI and console have. Two transports
// implement it: `local.ts` (calls the server in this process, no sockets, no serialization) and
// `https.ts` (any conformant cluster). Everything else (informers, waits, apply) is built on these
// eight calls, once. Errors are StatusError, whichever transport.
import type { Draft, KubeObject } from "../kinds/object.ts";

/** A resource at a version, as discovery names it. */
export interface Resource {
  group: string;
  version: string;
  /** Plural. */
  resource: string;
}

/** `resource("apps/v1", "deployments")`. */
export function resource(apiVersion: string, plural: string): Resource {
  const slash = apiVersion.indexOf("/");
  return {
    group: slash < 0 ? "" : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource: plural,
  };
}

/** Where an object is. `namespace` is absent for cluster-scoped kinds, and for lists over all namespaces. */
export interface Target extends Resource {
  namespace?: string | undefined;
  name?: string;
  subresource?: string;
}

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: "Exact" | "NotOlderThan";
  signal?: AbortSignal;
}

export interface ObjectList<T extends KubeObject = KubeObject> {
  apiVersion: string;
  kind: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

export interface WatchOptions {
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

export type WatchEvent<T extends KubeObject = KubeObject> =
  | { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; object: T }
  | { type: "ERROR"; object: any };

export interface WriteOptions {
  dryRun?: boolean;
  fieldManager?: string;
  fieldValidation?: "Strict" | "Warn" | "Ignore";
}

export interface PatchOptions extends WriteOptions {
  force?: boolean;
  /** The answer's metadata are enough, which spares thin links the rest. */
  brief?: boolean;
}

export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Orphan" | "Background" | "Foreground";
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
}

/**
 * Objects returned by the in-process transport are shared with other readers: treat every object as
 * frozen and copy (`structuredClone`) before changing one.
 */
/** Whether the server is out of reach. */
export interface Reach {
  isAway(): boolean;
  /** Returns what ends it. */
  onChange(listener: () => void): () => void;
}

export interface Client {
  /** Of a client that notices whether its server is away: who waits to ask again does so when it is back. */
  reach?: Reach;
  get<T extends KubeObject = KubeObject>(target: Target, signal?: AbortSignal): Promise<T>;
  list<T extends KubeObject = KubeObject>(
    target: Target,
    options?: ListOptions,
  ): Promise<ObjectList<T>>;
  /** Ends without error when the server ends it; the reader then watches again from the last revision. */
  watch<T extends KubeObject = KubeObject>(
    target: Target,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject = KubeObject>(
    target: Target,
    object: Draft,
    options?: WriteOptions,
  ): Promise<T>;
  /** `target.name` and a `metadata.resourceVersion` in the object; throws Conflict when it is stale. */
  update<T extends KubeObject = KubeObject>(
    target: Target,
    object: KubeObject,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends KubeObject = KubeObject>(
    target: Target,
    type: PatchType,
    patch: unknown,
    options?: PatchOptions,
  ): Promise<T>;
  delete(target: Target, options?: DeleteOptions): Promise<KubeObject>;
  deleteCollection(target: Target, options?: DeleteOptions & ListOptions): Promise<void>;
}
