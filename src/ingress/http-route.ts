// One HTTPRoute as routes, one for each of its matches. What is not supported is named. Pure.
import type { KubeObject } from "../kinds/object.ts";
import { durationMs } from "../lib/parse-duration.ts";
import { regex } from "./match.ts";
import type { Backend, HeaderChange, Match, NameMatch, PathChange, Route } from "./model.ts";

/** A field that this controller does not serve. */
export class Unsupported extends Error {}

const pathTypes = { Exact: "Exact", PathPrefix: "Prefix", RegularExpression: "Regex" } as const;

function pattern(text: string): (value: string) => boolean {
  try {
    return regex(text);
  } catch {
    throw new Unsupported(`the regular expression ${JSON.stringify(text)} does not compile`);
  }
}

const nameMatch = ({ name, type = "Exact", value }: any): NameMatch => ({
  name,
  is: type === "Exact" ? (one) => one === value : pattern(value),
});

function matchOf({ path, method, headers = [], queryParams = [] }: any): Match {
  const { type = "PathPrefix", value = "/" } = path ?? {};
  const own = pathTypes[type as keyof typeof pathTypes];
  return {
    path: { type: own, value, ...(own === "Regex" && { is: pattern(value) }) },
    ...(method && { method }),
    headers: headers.map((one: any) => nameMatch({ ...one, name: one.name.toLowerCase() })),
    query: queryParams.map(nameMatch),
  };
}

const pairs = (list: any[] = []): [string, string][] =>
  list.map(({ name, value }) => [name.toLowerCase(), value]);

const headerChange = ({ set, add, remove = [] }: any): HeaderChange => ({
  set: pairs(set),
  add: pairs(add),
  remove: remove.map((name: string) => name.toLowerCase()),
});

function pathChange(path: any): PathChange | undefined {
  if (!path) return undefined;
  return path.type === "ReplaceFullPath"
    ? { full: path.replaceFullPath }
    : { prefix: path.replacePrefixMatch };
}

type Changes = Pick<Route, "request" | "response" | "redirect" | "rewrite">;

const filters: Record<string, (filter: any) => Changes> = {
  RequestHeaderModifier: ({ requestHeaderModifier: one }) => ({ request: headerChange(one) }),
  ResponseHeaderModifier: ({ responseHeaderModifier: one }) => ({ response: headerChange(one) }),
  RequestRedirect({ requestRedirect: { scheme, hostname, port, path, statusCode = 302 } }) {
    const change = pathChange(path);
    return {
      redirect: {
        statusCode,
        ...(scheme && { scheme }),
        ...(hostname && { hostname }),
        ...(port && { port }),
        ...(change && { path: change }),
      },
    };
  },
  URLRewrite({ urlRewrite: { hostname, path } }) {
    const change = pathChange(path);
    return { rewrite: { ...(hostname && { hostname }), ...(change && { path: change }) } };
  },
};

function changesOf(list: any[] = []): Changes {
  let changes: Changes = {};
  for (const filter of list) {
    const make = filters[filter.type];
    if (!make) throw new Unsupported(`filters of type ${filter.type} are not supported`);
    changes = { ...changes, ...make(filter) };
  }
  return changes;
}

export type Resolve = (backendRef: any, namespace: string) => Backend | undefined;

function backendsOf(rule: any, namespace: string, resolve: Resolve) {
  const backends: Backend[] = [];
  let lostWeight = 0;
  for (const ref of rule.backendRefs ?? []) {
    if (ref.filters?.length) throw new Unsupported("filters of backendRefs are not supported");
    const { weight = 1 } = ref;
    const found = resolve(ref, namespace);
    if (found) backends.push({ ...found, weight });
    else lostWeight += weight;
  }
  return { backends, lostWeight };
}

/** `hosts` are those that the route shares with its listener. Throws Unsupported. */
export function routesOf(route: KubeObject, hosts: string[], resolve: Resolve): Route[] {
  const { namespace = "", name, creationTimestamp } = route.metadata;
  return (route.spec.rules ?? []).flatMap((rule: any, i: number): Route[] => {
    if (rule.sessionPersistence) throw new Unsupported("sessionPersistence is not supported");
    if (rule.retry) throw new Unsupported("retry is not supported");
    const timeoutMs = durationMs(rule.timeouts?.request ?? rule.timeouts?.backendRequest);
    const common = {
      created: creationTimestamp,
      id: `${namespace}/${name}/${i}`,
      hosts,
      ...changesOf(rule.filters),
      ...backendsOf(rule, namespace, resolve),
      ...(timeoutMs && { timeoutMs }),
    };
    return (rule.matches ?? [{}]).map((match: any) => ({ ...common, match: matchOf(match) }));
  });
}
