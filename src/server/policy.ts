// The seams between the server and the rooms that plug into it: authentication, authorization,
// admission, and handlers of subresources, upgrades and reviews. A room exports values of these types;
// `main/` hands them to `createServer`. Nothing here decides anything.
import type { PeerCertificate } from "node:tls";
import type { Kind } from "../kinds/kind.ts";
import type { Kinds } from "../kinds/kinds.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import type { FieldError } from "../lib/status-error.ts";
import type { Log } from "../lib/log.ts";
import type { NodeConnector } from "../lib/node-connection.ts";
import type { Random } from "../lib/random.ts";
import type { Store } from "../store/store.ts";
import type { Remotes } from "./remotes.ts";
import type { ApiRequest, ApiResponse, RequestInfo, User } from "./request.ts";
import type { UpgradeSocket } from "./upgrade-socket.ts";

/** What a listener knows of a caller before it knows who it is. */
export interface Credentials {
  /** Lower-case names. */
  headers: Record<string, string | undefined>;
  /** The client certificate, when one was shown. `authorized` is TLS's own verdict against the CA. */
  certificate?: { peer: PeerCertificate; authorized: boolean };
  /** What is asked for, without its query. */
  path?: string;
}

/** Finds out who asks, impersonation headers included; throws StatusError Unauthorized or Forbidden. */
export type Authenticate = (credentials: Credentials) => Promise<User>;

/** What is being asked, as authorization sees it. Non-resource paths have `resource` "" and a `path`. */
export interface Attributes {
  /** get, list, watch, create, update, patch, delete, deletecollection; lower-case HTTP method for paths. */
  verb: string;
  group: string;
  version: string;
  /** Plural. */
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  path: string;
  /** Of a list, a watch or a deletecollection, with single equal signs; absent when there is none. */
  fieldSelector?: string;
}

export type Authorize = (
  user: User,
  attributes: Attributes,
) => Promise<{ allowed: boolean; reason: string }>;

export interface AdmissionRequest {
  kind: Kind;
  operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  /** The new object, free to change in `mutate`; the options object on CONNECT, absent on DELETE. */
  object: KubeObject | undefined;
  old: KubeObject | undefined;
  namespace: string;
  name: string;
  subresource: string;
  user: User;
  dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions as sent. */
  options: Record<string, unknown>;
  /** Shown to the caller as Warning headers. */
  warn(message: string): void;
  /** Written into the audit log with the request; the key is `DOMAIN/NAME`. */
  annotate(key: string, value: string): void;
}

/** An admission plugin. Refusals are StatusErrors. Mutations of all plugins run before validations. */
export interface Admission {
  name: string;
  /** "reinvoke": the object changed in a way that the plugins before may want to see. */
  mutate?(request: AdmissionRequest): Promise<void | "reinvoke">;
  /** What is wrong with the object itself: told together with what its kind's rules find. */
  judge?(request: AdmissionRequest): Promise<readonly FieldError[]> | undefined;
  validate?(request: AdmissionRequest): Promise<void>;
}

/** The server as its plugs see it. */
export interface ServerHandle {
  readonly store: Store;
  readonly kinds: Kinds;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly authorize: Authorize;
  readonly nodeConnector: NodeConnector | undefined;
  handle(request: ApiRequest): Promise<ApiResponse>;
}

export interface HandlerContext {
  server: ServerHandle;
  request: ApiRequest;
  info: RequestInfo;
}

/** Answers a subresource or a review. The body is decoded with `decodeBody` from `body.ts`. */
export type SubresourceHandler = (context: HandlerContext) => Promise<ApiResponse>;

/**
 * Answers an Upgrade request (WebSocket). The caller is authenticated, authorized and admitted. Errors
 * thrown before the handler has written become a Status.
 */
export type UpgradeHandler = (context: HandlerContext, upgrade: UpgradeSocket) => Promise<void>;

/** The plugs of a server; every map may grow while it runs. */
export interface Plugs {
  /** `pods/log`, `serviceaccounts/token`: plural, a dot and the group unless core, a slash, subresource. */
  subresources: Map<string, SubresourceHandler>;
  /** `pods/exec`, ...: as in `subresources`. */
  upgrades: Map<string, UpgradeHandler>;
  /** `subjectaccessreviews.authorization.k8s.io`: virtual kinds. */
  reviews: Map<string, SubresourceHandler>;
  /** Paths outside resources, `/openid/v1/jwks`. */
  paths: Map<string, (request: ApiRequest) => Promise<ApiResponse>>;
  /** Other servers behind this one. */
  remotes?: Remotes;
}
