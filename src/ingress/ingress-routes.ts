// From Ingresses to listeners. Pure.
import type { KubeObject } from "../kinds/object.ts";
import type { Backend, Certificate, Listener, Match, Route } from "./model.ts";
import { controllerName } from "./kinds/resources.ts";

const legacyClass = "kubernetes.io/ingress.class";

/** The Ingresses that name a class of ours. */
export function oursOf(ingresses: KubeObject[], classes: KubeObject[]): KubeObject[] {
  const own = new Set(
    classes
      .filter(({ spec }) => spec.controller === controllerName)
      .map(({ metadata }) => metadata.name),
  );
  return ingresses.filter(({ metadata, spec }) =>
    own.has(spec.ingressClassName ?? metadata.annotations?.[legacyClass] ?? ""),
  );
}

function backendOf(namespace: string, backend: any): Backend[] {
  const { name, port } = backend?.service ?? {};
  if (!name) return [];
  return [{ namespace, service: name, port: port?.number ?? port?.name, weight: 1 }];
}

const matchOf = (path: string, pathType: string): Match => ({
  path: { type: pathType === "Exact" ? "Exact" : "Prefix", value: path },
  headers: [],
  query: [],
});

function routesOf({ metadata, spec }: KubeObject): Route[] {
  const { namespace = "", name, creationTimestamp } = metadata;
  const common = { created: creationTimestamp, id: `${namespace}/${name}`, lostWeight: 0 };
  const ruled = (spec.rules ?? []).flatMap(({ host, http }: any) =>
    (http?.paths ?? []).map(({ path = "/", pathType, backend }: any): Route => ({
      ...common,
      hosts: host ? [host] : [],
      match: matchOf(path, pathType),
      backends: backendOf(namespace, backend),
    })),
  );
  if (!spec.defaultBackend) return ruled;
  const rest = {
    ...common,
    hosts: [],
    match: matchOf("/", "Prefix"),
    backends: backendOf(namespace, spec.defaultBackend),
  };
  return [...ruled, rest];
}

export interface IngressPorts {
  http: number;
  https: number;
}

/** All their routes at the HTTP port, and at the HTTPS port for every name with a certificate. */
export function ingressListeners(
  ingresses: KubeObject[],
  certificate: (namespace: string, secret: string) => Certificate | undefined,
  ports: IngressPorts,
): Listener[] {
  const routes = ingresses.flatMap(routesOf);
  if (routes.length === 0) return [];
  const secured = new Map<string, Certificate>();
  for (const { metadata, spec } of ingresses) {
    for (const { hosts = [""], secretName } of spec.tls ?? []) {
      const found = secretName && certificate(metadata.namespace!, secretName);
      if (found) for (const host of hosts) if (!secured.has(host)) secured.set(host, found);
    }
  }
  return [
    { port: ports.http, hostname: "", routes },
    ...[...secured].map(([hostname, own]): Listener => ({
      port: ports.https,
      hostname,
      certificate: own,
      routes,
    })),
  ];
}
