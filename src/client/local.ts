// The in-process transport: it hands decoded objects to the server of this process and gets shared ones
// back. No sockets, no serialization; twenty informers of one kind share each object.
import type { Draft, KubeObject } from "../kinds/object.ts";
import { parseShared } from "../lib/parse-shared.ts";
import { StatusError, type Status } from "../lib/status-error.ts";
import type {
  Client,
  DeleteOptions,
  ListOptions,
  ObjectList,
  PatchType,
  Target,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client.ts";

/** What this transport needs of a server; `server/server.ts` has it. */
export interface LocalServer {
  handle(request: LocalRequest): Promise<LocalResponse>;
}

export interface LocalUser {
  name: string;
  groups: string[];
}

interface LocalRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | undefined>;
  body: object | undefined;
  user: LocalUser;
  decoded: boolean;
  signal: AbortSignal;
}

interface LocalResponse {
  code: number;
  object?: unknown;
  bytes?: Uint8Array;
  events?: AsyncIterable<{ type: string; object: any }[]>;
}

export const patchMediaTypes: Record<PatchType, string> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

/** `/apis/apps/v1/namespaces/default/deployments/web/status`. */
export function pathOf({ group, version, resource, namespace, name, subresource }: Target): string {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  const place = namespace ? `${root}/namespaces/${namespace}` : root;
  const object = name ? `${place}/${resource}/${name}` : `${place}/${resource}`;
  return subresource ? `${object}/${subresource}` : object;
}

/** Query parameters of defined options. */
export function queryOf(
  options: object | undefined,
  extra: Record<string, string> = {},
): URLSearchParams {
  const query = new URLSearchParams(extra);
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === undefined || typeof value === "object") continue;
    if (name === "dryRun") {
      if (value) query.set("dryRun", "All");
    } else query.set(name, String(value));
  }
  return query;
}

/** The `meta/v1 DeleteOptions` to send. */
export function deleteBody(options: DeleteOptions | undefined) {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options ?? {};
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(propagationPolicy && { propagationPolicy }),
    ...(preconditions && { preconditions }),
    ...(dryRun && { dryRun: ["All"] }),
  };
}

const never = new AbortController().signal;

interface Sent {
  query?: URLSearchParams;
  body?: object | undefined;
  contentType?: string;
  signal?: AbortSignal | undefined;
}

/** A client that acts as `user`. `agent` names it in managedFields, as a user agent does. */
export function localClient(server: LocalServer, user: LocalUser, agent = "kerb"): Client {
  const send = (method: string, target: Target, sent: Sent = {}) =>
    server.handle({
      method,
      path: pathOf(target),
      query: sent.query ?? new URLSearchParams(),
      headers: {
        "user-agent": agent,
        ...(sent.contentType && { "content-type": sent.contentType }),
      },
      body: sent.body,
      user,
      decoded: true,
      signal: sent.signal ?? never,
    });

  async function ask<T>(method: string, target: Target, sent?: Sent): Promise<T> {
    const { code, object, bytes } = await send(method, target, sent);
    const answer = object ?? (bytes && parseShared(bytes));
    if (code >= 400) throw StatusError.from(answer as Partial<Status>);
    return answer as T;
  }

  async function* watch(target: Target, options: WatchOptions = {}) {
    const { signal, ...rest } = options;
    const match =
      rest.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" };
    const query = queryOf(rest, { watch: "true", ...match });
    const { events } = await send("GET", target, { query, signal });
    for await (const batch of events ?? []) yield* batch as WatchEvent<any>[];
  }

  return {
    get: (target, signal) => ask("GET", target, { signal }),
    list: <T extends KubeObject>(target: Target, { signal, ...options }: ListOptions = {}) =>
      ask<ObjectList<T>>("GET", target, { query: queryOf(options), signal }),
    watch,
    create: (target, object: Draft, options?: WriteOptions) =>
      ask("POST", target, { query: queryOf(options), body: structuredClone(object) }),
    update: (target, object, options) =>
      ask("PUT", target, { query: queryOf(options), body: structuredClone(object) }),
    patch: (target, type, patch, options) =>
      ask("PATCH", target, {
        query: queryOf({ ...options, brief: undefined }),
        body: structuredClone(patch) as object,
        contentType: patchMediaTypes[type],
      }),
    delete: (target, options) => ask("DELETE", target, { body: deleteBody(options) }),
    async deleteCollection(target, options = {}) {
      const { signal, labelSelector, fieldSelector, limit, resourceVersion } = options;
      const query = queryOf({ labelSelector, fieldSelector, limit, resourceVersion });
      await ask("DELETE", target, { query, body: deleteBody(options), signal });
    },
  };
}
