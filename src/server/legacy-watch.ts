// `/api/v1/watch/...`, as clients asked for watches before `?watch=true`.
import type { ApiRequest } from "./request.ts";

const legacy = /^(\/+(?:api\/+[^/]+|apis\/+[^/]+\/+[^/]+)\/+)watch\/+([^]+)$/;

/** The path behind `watch/` names one object when it has as many segments as an object's. */
function namedObject(segments: string[]): string | undefined {
  const namespaced = segments[0] === "namespaces" && segments.length > 2;
  return segments[namespaced ? 3 : 1];
}

/** The same question as it is asked today; the request itself when it is no such path. */
export function withoutLegacyWatch(request: ApiRequest): ApiRequest {
  const match = request.path.includes("/watch/") ? legacy.exec(request.path) : null;
  if (!match || request.method !== "GET") return request;
  const [, root, rest] = match as unknown as [string, string, string];
  const query = new URLSearchParams(request.query);
  query.set("watch", "true");
  const segments = rest.split("/").filter((segment) => segment !== "");
  const name = namedObject(segments);
  if (name === undefined) return { ...request, path: root + rest, query };
  const selector = [query.get("fieldSelector"), `metadata.name=${name}`].filter(Boolean);
  query.set("fieldSelector", selector.join(","));
  const path = root + segments.slice(0, -1).join("/");
  return { ...request, path, query };
}
