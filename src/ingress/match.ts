// Which listener and which route a request belongs to. Pure.
import { RE2JS } from "re2js";
import type { Listener, Match, Route } from "./model.ts";

export interface Asked {
  host: string;
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
}

/** Does `pattern`, perhaps with a first label `*`, cover `host`? A wildcard stands for one label or more. */
export function covers(pattern: string, host: string): boolean {
  if (pattern === "" || pattern === host) return true;
  if (!pattern.startsWith("*.")) return false;
  const end = pattern.slice(1);
  return host.length > end.length && host.endsWith(end);
}

/** More for what says more: a name over a wildcard, a longer one over a shorter. */
export const precision = (pattern: string) =>
  pattern === "" ? 0 : (pattern.startsWith("*") ? 1 : 1000) + pattern.length;

export function regex(pattern: string): (text: string) => boolean {
  const compiled = RE2JS.compile(pattern);
  return (text) => compiled.matcher(text).matches();
}

/** By elements: `/a` covers `/a/b` and not `/ab`. */
export function underPrefix(prefix: string, path: string): boolean {
  const bare = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  return path === bare || path.startsWith(`${bare}/`) || bare === "";
}

function pathFits({ path: { type, value, is } }: Match, path: string): boolean {
  if (type === "Exact") return path === value;
  return type === "Prefix" ? underPrefix(value, path) : is!(path);
}

const headerOf = (headers: Asked["headers"], name: string) => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(",") : value;
};

export function fits({ hosts, match }: Route, asked: Asked): boolean {
  if (hosts.length > 0 && !hosts.some((host) => covers(host, asked.host))) return false;
  if (match.method !== undefined && match.method !== asked.method) return false;
  if (!pathFits(match, asked.path)) return false;
  return (
    match.headers.every(({ name, is }) => {
      const value = headerOf(asked.headers, name);
      return value !== undefined && is(value);
    }) &&
    match.query.every(({ name, is }) => {
      const value = asked.query.get(name);
      return value !== null && is(value);
    })
  );
}

const kinds = { Exact: 2, Prefix: 1, Regex: 0 } as const;

/** Numbers in the order in which Gateway API weighs matches, the first that differs decides. */
function weights({ hosts, match }: Route, host: string): number[] {
  const best = Math.max(0, ...hosts.filter((one) => covers(one, host)).map(precision));
  return [
    best,
    match.path.type === "Exact" ? 1 : 0,
    match.path.type === "Regex" ? 0 : match.path.value.length,
    kinds[match.path.type],
    match.method === undefined ? 0 : 1,
    match.headers.length,
    match.query.length,
  ];
}

function isBefore(a: Route, b: Route, host: string): boolean {
  const [mine, others] = [weights(a, host), weights(b, host)];
  for (const [i, value] of mine.entries()) {
    if (value !== others[i]) return value > others[i]!;
  }
  return a.created !== b.created ? a.created < b.created : a.id < b.id;
}

/** The route for a request that came in at `port`, by the most precise listener that covers its host. */
export function routeFor(listeners: Listener[], port: number, asked: Asked): Route | undefined {
  const own = listeners.filter((one) => one.port === port && covers(one.hostname, asked.host));
  const most = Math.max(...own.map(({ hostname }) => precision(hostname)));
  const routes = own
    .filter(({ hostname }) => precision(hostname) === most)
    .flatMap((listener) => listener.routes);
  return routes
    .filter((route) => fits(route, asked))
    .reduce<Route | undefined>(
      (best, route) => (best && !isBefore(route, best, asked.host) ? best : route),
      undefined,
    );
}

/** The certificate for a name asked for in a handshake. */
export function certificateFor(listeners: Listener[], port: number, name: string) {
  const own = listeners
    .filter((one) => one.port === port && one.certificate && covers(one.hostname, name))
    .sort((a, b) => precision(b.hostname) - precision(a.hostname));
  return own[0]?.certificate;
}
