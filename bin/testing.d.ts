/** An object of any kind. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: any;
  };
  spec?: any;
  status?: any;
  [field: string]: any;
}

/** A resource at a version, and which of its objects. */
export interface Target {
  /** "" for the core group. */
  group: string;
  version: string;
  /** Plural. */
  resource: string;
  /** Absent for cluster-scoped kinds, and for lists over all namespaces. */
  namespace?: string | undefined;
  name?: string;
  /** "status", "scale", ... */
  subresource?: string;
}

export interface WriteOptions {
  dryRun?: boolean;
  fieldManager?: string;
  fieldValidation?: "Strict" | "Warn" | "Ignore";
}

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  signal?: AbortSignal;
}

export interface WatchOptions {
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

/** Refusals are errors with `reason` ("NotFound", "Invalid", ...), `code`, `message` and `details`. */
export interface Client {
  get(target: Target, signal?: AbortSignal): Promise<KubeObject>;
  list(
    target: Target,
    options?: ListOptions,
  ): Promise<{
    metadata: { resourceVersion: string; continue?: string };
    items: KubeObject[];
  }>;
  watch(
    target: Target,
    options?: WatchOptions,
  ): AsyncIterable<{
    type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
    object: any;
  }>;
  create(target: Target, object: object, options?: WriteOptions): Promise<KubeObject>;
  update(target: Target, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  patch(
    target: Target,
    type: "json" | "merge" | "strategic" | "apply",
    patch: unknown,
    options?: WriteOptions & { force?: boolean },
  ): Promise<KubeObject>;
  delete(
    target: Target,
    options?: {
      gracePeriodSeconds?: number;
      propagationPolicy?: "Orphan" | "Background" | "Foreground";
    },
  ): Promise<KubeObject>;
  deleteCollection(target: Target, options?: ListOptions): Promise<void>;
}

export interface TestServerOptions {
  /** False: only reached from inside the process, by `client`. */
  listen?: boolean;
  /** Where it listens; by default any free port of 127.0.0.1. */
  host?: string;
  port?: number;
  /** CustomResourceDefinitions that are there from the start. */
  crds?: object[];
  /** Run the controllers and the scheduler too; pods still run nowhere. */
  controllers?: boolean;
}

/** How a client library reaches the server. PEM texts. */
export interface ClientConfig {
  server: string;
  ca: string;
  cert: string;
  key: string;
}

export interface TestServer {
  /** Of an administrator; absent when the server does not listen. */
  config: ClientConfig | undefined;
  /** The same as a kubeconfig file's text; "" when the server does not listen. */
  kubeconfig: string;
  /** Acts as `user`, in process; by default as an administrator. Objects it returns are shared: copy before changing. */
  client(user?: { name: string; groups?: string[] }): Client;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A Kubernetes API server in this process, in memory, ready when this resolves. */
export function startServer(options?: TestServerOptions): Promise<TestServer>;
