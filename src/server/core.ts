// What the verbs share: the server's parts, and one call on its way through them.
import type { Kind } from "../kinds/kind.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import type { Accept } from "./negotiate.ts";
import type { WriteOptions } from "./options.ts";
import type { Admission, Plugs, ServerHandle } from "./policy.ts";
import type { ApiRequest, RequestInfo } from "./request.ts";

/** Gives a kind's objects what only the server can: Service addresses and ports. */
export interface Allocator {
  /** Fills the object in, or throws Invalid; returns what undoes it when the write fails. */
  allocate(
    object: KubeObject | Draft,
    old: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<() => Promise<void>>;
  /** Told once a changed object is stored: what only the old one had is free again. */
  settle(object: KubeObject, old: KubeObject): Promise<void>;
  /** Told once the object is gone. */
  release(object: KubeObject): Promise<void>;
}

export interface Core extends ServerHandle {
  readonly admission: readonly Admission[];
  readonly plugs: Plugs;
  /** By resource name, `services`. */
  readonly allocators: Map<string, Allocator>;
  /** Aborted when the server stops. */
  readonly signal: AbortSignal;
}

/** A resource request on its way through a verb. */
export interface Call {
  core: Core;
  request: ApiRequest;
  info: RequestInfo;
  kind: Kind;
  accept: Accept;
  options: WriteOptions;
  /** Texts for Warning headers, gathered on the way. */
  warnings: string[];
  /** A server-side apply, which says itself who owns what. */
  applying?: boolean;
}
