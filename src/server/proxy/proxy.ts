// The proxy subresources of pods, services and nodes.
import type { HandlerContext, Plugs, SubresourceHandler, UpgradeHandler } from "../policy.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import { passOn, passOnUpgrade, type Passage } from "./pass-on.ts";
import { proxyTargets } from "./target.ts";

const proxyPath =
  /^\/+api\/+v1\/+(?:namespaces\/+[^/]+\/+(?:pods|services)|nodes)\/+[^/]+\/+proxy(?=\/|$)/;

/** True for paths whose requests are passed on unread. */
export const isProxyPath = (path: string) => proxyPath.test(path);

/** The path up to `proxy`, the path behind it and the query, all as they came. */
function splitProxyPath(request: ApiRequest) {
  const url = request.url ?? `${encodeURI(request.path)}?${request.query.toString()}`;
  const [path = "", ...query] = url.split("?");
  const prefix = proxyPath.exec(path)?.[0] ?? path;
  return { prefix, rest: path.slice(prefix.length), query: query.join("?") };
}

type Resource = keyof typeof proxyTargets;

async function passageOf(resource: Resource, context: HandlerContext): Promise<Passage> {
  const { request } = context;
  const { prefix, rest, query } = splitProxyPath(request);
  const { scheme, host, dial } = await proxyTargets[resource](context);
  const callerHost = request.headers[":authority"] ?? request.headers["host"] ?? host;
  return {
    dial,
    // Pods' certificates are their own; upstream does not check them either.
    ...(scheme === "https" && { tls: { rejectUnauthorized: false } }),
    host: callerHost,
    path: (rest || "/") + (query && `?${query}`),
    place: { targetHost: host, callerHost, prefix },
  };
}

/** A page's relative links work only behind a slash. */
function slashAdded({ method, url = "" }: ApiRequest): ApiResponse | undefined {
  const [path = "", ...query] = url.split("?");
  const bare = proxyPath.exec(path)?.[0] === path;
  if (!bare || (method !== "GET" && method !== "HEAD")) return undefined;
  const location = [`${path}/`, ...query].join("?");
  return { code: 301, headers: { location }, passedOn: true };
}

const proxyOf =
  (resource: Resource): SubresourceHandler =>
  async (context) => {
    const passage = await passageOf(resource, context);
    return slashAdded(context.request) ?? passOn(context.request, passage);
  };

const upgradeOf =
  (resource: Resource): UpgradeHandler =>
  async (context, upgrade) =>
    passOnUpgrade(context.request, await passageOf(resource, context), upgrade);

export function plugProxy({ subresources, upgrades }: Plugs) {
  for (const resource of Object.keys(proxyTargets) as Resource[]) {
    subresources.set(`${resource}/proxy`, proxyOf(resource));
    upgrades.set(`${resource}/proxy`, upgradeOf(resource));
  }
}
