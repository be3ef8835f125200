// A request after HTTP and before policy. The HTTPS listener and the in-process client both make these
// and hand them to `Server.handle`; nothing behind it knows of sockets.
import type { Readable } from "node:stream";
import type { Kind, Verb } from "../kinds/kind.ts";

/** Who asks, as authentication found out (authentication.k8s.io UserInfo). */
export interface User {
  name: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

/** What is asked of which resource. Absent for non-resource paths. */
export interface RequestInfo {
  verb: Verb | "connect";
  kind: Kind;
  namespace?: string;
  name?: string;
  subresource: string;
  /** Path behind a proxying subresource. */
  rest?: string;
}

export interface ApiRequest {
  method: string;
  /** Path without query, percent-decoded by segment. */
  path: string;
  query: URLSearchParams;
  /** Path and query as they came, for what passes them on; absent in process. */
  url?: string;
  /** Lower-case names. */
  headers: Record<string, string | undefined>;
  /** The unread body of a request that is passed on; absent when there is none. */
  upload?: Readable;
  /** The caller's address. */
  remoteAddress?: string;
  /** Raw body (HTTP), or a decoded object handed over by the in-process client. */
  body: Uint8Array | object | undefined;
  /** Reads a body that came over the network, once its sender is known to be allowed: a stranger's takes no memory. */
  readBody?: () => Promise<Uint8Array | object | undefined>;
  user: User;
  /** The caller is in this process: it takes objects and events as they are, not as bytes. */
  decoded?: boolean;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  /** What the audit log tells of the request besides; absent when nobody keeps one. */
  annotations?: Map<string, string>;
}

/**
 * The answer. `object` is for in-process callers and for small answers; `bytes` is whole JSON;
 * `stream` yields chunks of a long list or a watch, written with back-pressure.
 */
export interface ApiResponse {
  code: number;
  headers?: Record<string, string | string[]>;
  /** The answer of another server: its headers are told as they are. */
  passedOn?: boolean;
  /** Text of Warning headers (code 299). */
  warnings?: string[];
  object?: unknown;
  bytes?: Uint8Array;
  stream?: AsyncIterable<Uint8Array>;
  /** Told of a chunk of `stream` that is on its way and that nobody keeps: its memory may be used again. */
  written?: (chunk: Uint8Array) => void;
  /** Batches of a watch's events, instead of `stream`, for callers that take them decoded. */
  events?: AsyncIterable<{ type: string; object: any }[]>;
}
