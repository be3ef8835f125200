// From method, path and query to what is asked. Pure: the table of kinds is a parameter. The forms are
// those of Kubernetes: `/api/v1/...` for the core group, `/apis/GROUP/VERSION/...` for the others.
import type { Kind, Verb } from "../kinds/kind.ts";
import { StatusError } from "../lib/status-error.ts";
import type { Attributes } from "./policy.ts";
import type { RequestInfo } from "./request.ts";

/** Finds a served resource. */
export type FindKind = (group: string, version: string, plural: string) => Kind | undefined;

/** Subresources that hand the connection over to the node. */
const connecting = new Set(["exec", "attach", "portforward", "proxy", "tunnel"]);

/** `/api/v1/namespaces/x/status` is the namespace's own, not a resource called status in it. */
const namespaceSubresources = new Set(["status", "finalize"]);

const pathNotFound = () =>
  new StatusError("NotFound", "the server could not find the requested resource", { details: {} });

const methodNotAllowed = () =>
  new StatusError(
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {
      details: {},
    },
  );

export const isTrue = (value: string | null) =>
  value !== null && value !== "0" && value.toLowerCase() !== "false";

/** The group, version and remaining segments of a resource path; undefined for any other path. */
function splitPath(path: string) {
  const segments = path.split("/").filter((segment) => segment !== "");
  if (segments[0] === "api" && segments.length > 2) {
    return { group: "", version: segments[1]!, rest: segments.slice(2) };
  }
  if (segments[0] === "apis" && segments.length > 3) {
    return { group: segments[1]!, version: segments[2]!, rest: segments.slice(3) };
  }
  return undefined;
}

/** A node's tunnel is Kerb's own and not in discovery, since clients of Kubernetes have no use for it. */
const hasSubresource = ({ group, plural, subresources }: Kind, name: string) =>
  subresources.includes(name) || (name === "tunnel" && group === "" && plural === "nodes");

/** Takes the namespace off the front of the segments. */
function splitNamespace(rest: string[]) {
  const scoped =
    rest[0] === "namespaces" && rest.length > 2 && !namespaceSubresources.has(rest[2]!);
  return scoped
    ? { namespace: rest[1], segments: rest.slice(2) }
    : { namespace: undefined, segments: rest };
}

function verbOf(method: string, named: boolean, query: URLSearchParams): Verb {
  switch (method) {
    case "GET":
    case "HEAD":
      if (named) return "get";
      return isTrue(query.get("watch")) ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return named ? "delete" : "deletecollection";
    default:
      throw methodNotAllowed();
  }
}

/**
 * Resolves a request; undefined for paths that name no resource (`/healthz`, `/apis/apps`). Throws
 * NotFound for resources that are not served and MethodNotAllowed for verbs that are not.
 */
export function requestInfo(
  request: { method: string; path: string; query: URLSearchParams },
  find: FindKind,
): RequestInfo | undefined {
  const split = splitPath(request.path);
  if (!split) return undefined;
  // Of another method than GET, which is led to `?watch=true`.
  if (split.rest[0] === "watch") throw methodNotAllowed();
  const { namespace, segments } = splitNamespace(split.rest);
  const [plural, name, subresource = "", ...behind] = segments;
  const kind = find(split.group, split.version, plural!);
  if (!kind || (namespace !== undefined && !kind.namespaced)) throw pathNotFound();
  if (subresource && !hasSubresource(kind, subresource)) throw pathNotFound();
  if (behind.length > 0 && subresource !== "proxy") throw pathNotFound();
  const connects = connecting.has(subresource);
  const verb = connects ? "connect" : verbOf(request.method, name !== undefined, request.query);
  if (connects && subresource !== "proxy" && !streamed.has(request.method))
    throw methodNotAllowed();
  if (verb !== "connect") checkVerb(kind, { verb, namespace, name, subresource });
  return {
    verb,
    kind,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    subresource,
    ...(behind.length > 0 && { rest: behind.join("/") }),
  };
}

function checkVerb(
  kind: Kind,
  asked: {
    verb: Verb;
    namespace: string | undefined;
    name: string | undefined;
    subresource: string;
  },
) {
  const { verb, namespace, name, subresource } = asked;
  if (subresource) return;
  if (!kind.verbs.includes(verb)) throw methodNotAllowed();
  if (verb === "create" && name !== undefined) throw methodNotAllowed();
  const everywhere = verb === "list" || verb === "watch";
  if (kind.namespaced && namespace === undefined && !everywhere) throw methodNotAllowed();
}

/** Methods of exec, attach and port-forward; a proxy takes them all. */
const streamed = new Set(["GET", "POST"]);

/**
 * What authorization is asked about a resource of another server, which alone knows its kinds; as upstream
 * reads every path.
 */
export function remoteAttributes(request: {
  method: string;
  path: string;
  query: URLSearchParams;
}): Attributes {
  const split = splitPath(request.path);
  if (!split) return attributesOf(request, undefined);
  const { namespace = "", segments } = splitNamespace(split.rest);
  const [resource = "", named = "", subresource = ""] = segments;
  const listed = named === "" && ["GET", "HEAD"].includes(request.method);
  return {
    verb: request.method === "OPTIONS" ? "" : verbOf(request.method, named !== "", request.query),
    group: split.group,
    version: split.version,
    resource,
    subresource,
    namespace,
    name: named || (listed ? selectedName(request.query) : ""),
    path: request.path,
  };
}

const connectVerbs: Record<string, string> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Other methods have no verb and are left to those who may do everything. */
const connectVerb = (method: string) => connectVerbs[method] ?? "";

/** The name a field selector pins a list or watch to, for authorization. */
function selectedName(query: URLSearchParams): string {
  const match = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(query.get("fieldSelector") ?? "");
  return match?.[1] ?? "";
}

/** What authorization is asked about a request. */
export function attributesOf(
  request: { method: string; path: string; query: URLSearchParams },
  info: RequestInfo | undefined,
): Attributes {
  if (!info) {
    return {
      verb: request.method.toLowerCase(),
      group: "",
      version: "",
      resource: "",
      subresource: "",
      namespace: "",
      name: "",
      path: request.path,
    };
  }
  const { kind } = info;
  const verb = info.verb === "connect" ? connectVerb(request.method) : info.verb;
  const own = kind.group === "" && kind.plural === "namespaces" ? info.name : undefined;
  const selects = !info.name && ["list", "watch", "deletecollection"].includes(verb);
  const fieldSelector = selects ? request.query.get("fieldSelector")?.replaceAll("==", "=") : "";
  return {
    ...(fieldSelector && { fieldSelector }),
    verb,
    group: kind.group,
    version: kind.version,
    resource: kind.plural,
    subresource: info.subresource,
    namespace: info.namespace ?? own ?? "",
    name: info.name ?? (verb === "list" || verb === "watch" ? selectedName(request.query) : ""),
    path: request.path,
  };
}
