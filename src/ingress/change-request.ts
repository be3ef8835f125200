// What a route's filters make of a request and of its answer. Pure.
import type { HeaderChange, PathChange, Redirect, Route } from "./model.ts";

type Headers = Record<string, string | string[] | undefined>;

export function changeHeaders(headers: Headers, change: HeaderChange | undefined): Headers {
  if (!change) return headers;
  const changed: Headers = { ...headers };
  for (const name of change.remove) delete changed[name];
  for (const [name, value] of change.set) changed[name] = value;
  for (const [name, value] of change.add) {
    const before = changed[name];
    changed[name] = before === undefined ? value : [...[before].flat(), value];
  }
  return changed;
}

/** `matched` is the prefix by which the path was found. */
export function changePath(path: string, change: PathChange | undefined, matched: string): string {
  if (!change) return path;
  if ("full" in change) return change.full;
  const bare = matched.endsWith("/") ? matched.slice(0, -1) : matched;
  const rest = path.slice(bare.length);
  const head = change.prefix.endsWith("/") ? change.prefix.slice(0, -1) : change.prefix;
  return `${head}${rest.startsWith("/") || rest === "" ? rest : `/${rest}`}` || "/";
}

const usual: Record<string, number> = { http: 80, https: 443 };

export interface Came {
  scheme: "http" | "https";
  host: string;
  /** As the client sees it. */
  port: number;
  path: string;
  /** With its question mark, or "". */
  search: string;
}

export function locationOf(
  redirect: Redirect,
  came: Came,
  { match }: Pick<Route, "match">,
): string {
  const scheme = redirect.scheme ?? came.scheme;
  const host = redirect.hostname ?? came.host;
  const port = redirect.port ?? (redirect.scheme ? usual[scheme]! : came.port);
  const path = changePath(came.path, redirect.path, match.path.value);
  return `${scheme}://${host}${port === usual[scheme] ? "" : `:${port}`}${path}${came.search}`;
}
