// What the server asks of the room that knows other servers (`aggregation/`): which group versions they
// serve, and to pass requests on to them.
import type { UpgradeSocket } from "./upgrade-socket.ts";
import type { ApiRequest, ApiResponse } from "./request.ts";

/** A resource as `apidiscovery.k8s.io` has it. */
export interface DiscoveredResource {
  resource: string;
  responseKind: { group: string; version: string; kind: string };
  scope: string;
  singularResource: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: object[];
}

/** A group version that another server serves. */
export interface RemoteVersion {
  group: string;
  version: string;
  /** As last told by the other server. */
  resources: DiscoveredResource[];
  /** "Stale" while the other server does not answer. */
  freshness: "Current" | "Stale";
}

export interface Remotes {
  /** Another number whenever anything below changed. */
  generation(): number;
  versions(): RemoteVersion[];
  /** Where a group version stands among all; undefined for one that nobody registered. */
  priority(group: string, version: string): { group: number; version: number } | undefined;
  /** True for paths of group versions that others serve. */
  serves(path: string): boolean;
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** What others publish under /openapi: the index entries of their group versions. */
  openApiIndex(): Promise<Record<string, { serverRelativeURL: string }>>;
  /** The document of a group version (`apis/GROUP/VERSION`) of another server. */
  openApiDocument(name: string): Promise<object | undefined>;
  /** Their v2 documents, each with the root of the paths that count. */
  swaggers(): Promise<{ root: string; document: object }[]>;
  upgrade(request: ApiRequest, upgrade: UpgradeSocket): Promise<void>;
}
