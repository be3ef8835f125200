// From Gateways and their routes to listeners, and to what their statuses say. Pure.
import type { KubeObject } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { isGranted } from "./grants.ts";
import { routesOf, Unsupported } from "./http-route.ts";
import { covers } from "./match.ts";
import type { Backend, Certificate, Listener, Route } from "./model.ts";

export interface Said {
  type: string;
  status: boolean;
  reason: string;
  message?: string;
}

export interface ListenerStatus {
  name: string;
  attachedRoutes: number;
  kinds: boolean;
  conditions: Said[];
}

export interface RouteStatus {
  route: KubeObject;
  parents: { parentRef: any; conditions: Said[] }[];
}

export interface GatewayPlan {
  listeners: Listener[];
  gateways: { gateway: KubeObject; listeners: ListenerStatus[] }[];
  routes: RouteStatus[];
}

export interface GatewayInput {
  /** Those of our classes. */
  gateways: KubeObject[];
  routes: KubeObject[];
  grants: KubeObject[];
  namespaceLabels: (name: string) => Record<string, string> | undefined;
  certificate: (namespace: string, secret: string) => Certificate | undefined;
  hasServicePort: (namespace: string, service: string, port: number) => boolean;
  /** The machine's port for one of a Gateway; undefined when it cannot be had. */
  portOf: (port: number) => number | undefined;
}

/** A listener of a Gateway while routes are being attached. */
interface Open {
  gateway: KubeObject;
  spec: any;
  listener: Listener | undefined;
  problem: Said | undefined;
  refs: Said;
  attached: Set<KubeObject>;
}

const said = (type: string, status: boolean, reason: string, message?: string): Said => ({
  type,
  status,
  reason,
  ...(message && { message }),
});

const good = said("ResolvedRefs", true, "ResolvedRefs");
const protocols = ["HTTP", "HTTPS"];

function certificateOf(gateway: KubeObject, spec: any, input: GatewayInput): Certificate | Said {
  const bad = (reason: string, message: string) => said("ResolvedRefs", false, reason, message);
  const [ref] = spec.tls?.certificateRefs ?? [];
  if (!ref) return bad("InvalidCertificateRef", "no certificateRefs");
  const { group = "", kind = "Secret", name } = ref;
  const own = gateway.metadata.namespace!;
  const namespace = ref.namespace ?? own;
  if (group !== "" || kind !== "Secret")
    return bad("InvalidCertificateRef", `${kind} is no Secret`);
  const from = { kind: "Gateway", namespace: own };
  if (!isGranted({ from, to: { kind: "Secret", namespace, name } }, input.grants)) {
    return bad("RefNotPermitted", `no ReferenceGrant lets this Gateway use ${namespace}/${name}`);
  }
  const found = input.certificate(namespace, name);
  return found ?? bad("InvalidCertificateRef", `Secret ${namespace}/${name} holds no certificate`);
}

function conflictOf(spec: any, gateway: KubeObject): Said | undefined {
  const others = gateway.spec.listeners.filter(
    (one: any) => one.name !== spec.name && one.port === spec.port,
  );
  const conflict = (reason: string) => said("Conflicted", true, reason, "another listener has it");
  if (others.some((one: any) => one.protocol !== spec.protocol))
    return conflict("ProtocolConflict");
  const same = others.some((one: any) => (one.hostname ?? "") === (spec.hostname ?? ""));
  return same ? conflict("HostnameConflict") : undefined;
}

function openListener(gateway: KubeObject, spec: any, input: GatewayInput): Open {
  const open: Open = {
    gateway,
    spec,
    listener: undefined,
    problem: undefined,
    refs: good,
    attached: new Set(),
  };
  const not = (reason: string, message: string) => said("Accepted", false, reason, message);
  const port = input.portOf(spec.port);
  const wrongKinds = (spec.allowedRoutes?.kinds ?? []).some((one: any) => one.kind !== "HTTPRoute");
  if (wrongKinds) {
    open.refs = said("ResolvedRefs", false, "InvalidRouteKinds", "only HTTPRoute is served");
  }
  if (!protocols.includes(spec.protocol)) {
    open.problem = not("UnsupportedProtocol", `${spec.protocol} is not served`);
  } else if (spec.tls?.mode === "Passthrough") {
    open.problem = not("UnsupportedValue", "tls.mode Passthrough is not served");
  } else if (port === undefined) {
    open.problem = not("PortUnavailable", `port ${spec.port} is the site's own`);
  } else open.problem = conflictOf(spec, gateway);
  const certificate = spec.protocol === "HTTPS" && certificateOf(gateway, spec, input);
  if (certificate && "reason" in certificate) open.refs = certificate;
  if (open.problem || (certificate && "reason" in certificate)) return open;
  open.listener = {
    port: port!,
    hostname: spec.hostname ?? "",
    routes: [],
    ...(certificate && { certificate: certificate as Certificate }),
  };
  return open;
}

/** The names that a route and a listener share; undefined when none. Empty: any. */
export function sharedHosts(listener: string, route: string[]): string[] | undefined {
  if (route.length === 0) return listener ? [listener] : [];
  const shared = route.flatMap((host) => {
    if (covers(listener, host)) return [host];
    return covers(host, listener) ? [listener] : [];
  });
  return shared.length > 0 ? [...new Set(shared)] : undefined;
}

function allows({ gateway, spec }: Open, route: KubeObject, input: GatewayInput): boolean {
  const { from = "Same", selector } = spec.allowedRoutes?.namespaces ?? {};
  if (from === "All") return true;
  const { namespace = "" } = route.metadata;
  if (from === "Same") return namespace === gateway.metadata.namespace;
  return compileSelector(selector)(input.namespaceLabels(namespace));
}

/** Finds backends, and remembers the first that cannot be. */
function resolver(input: GatewayInput) {
  const state = { refs: good };
  const lost = (reason: string, message: string) => {
    if (state.refs.status) state.refs = said("ResolvedRefs", false, reason, message);
    return undefined;
  };
  const resolve = (ref: any, own: string): Backend | undefined => {
    const { group = "", kind = "Service", name, namespace = own, port } = ref;
    if (group !== "" || kind !== "Service") return lost("InvalidKind", `${kind} is no Service`);
    const from = { kind: "HTTPRoute", namespace: own };
    if (!isGranted({ from, to: { kind: "Service", namespace, name } }, input.grants)) {
      return lost("RefNotPermitted", `no ReferenceGrant lets this route use ${namespace}/${name}`);
    }
    if (!port || !input.hasServicePort(namespace, name, port)) {
      return lost("BackendNotFound", `Service ${namespace}/${name} has no port ${port}`);
    }
    return { namespace, service: name, port, weight: 1 };
  };
  return { state, resolve };
}

function attach(route: KubeObject, ref: any, open: Open[], input: GatewayInput): Said[] {
  const { sectionName, port } = ref;
  const fit = open.filter(
    ({ spec }) =>
      protocols.includes(spec.protocol) &&
      (!sectionName || spec.name === sectionName) &&
      (!port || spec.port === port),
  );
  const not = (reason: string, message: string) => [said("Accepted", false, reason, message), good];
  if (fit.length === 0) return not("NoMatchingParent", "the Gateway has no such listener");
  const allowed = fit.filter((one) => allows(one, route, input));
  if (allowed.length === 0) return not("NotAllowedByListeners", "the listeners take no such route");
  const { state, resolve } = resolver(input);
  const made: [Open, Route[]][] = [];
  try {
    for (const one of allowed) {
      const hosts = sharedHosts(one.spec.hostname ?? "", route.spec.hostnames ?? []);
      if (hosts) made.push([one, routesOf(route, hosts, resolve)]);
    }
  } catch (error) {
    if (error instanceof Unsupported) return not("UnsupportedValue", error.message);
    throw error;
  }
  if (made.length === 0) {
    return not("NoMatchingListenerHostname", "no host name is the listeners' too");
  }
  for (const [one, routes] of made) {
    one.attached.add(route);
    one.listener?.routes.push(...routes);
  }
  return [said("Accepted", true, "Accepted"), state.refs];
}

function statusOf({ spec, problem, refs, listener, attached }: Open): ListenerStatus {
  const isConflict = problem?.type === "Conflicted";
  const accepted = isConflict
    ? said("Accepted", false, problem.reason, problem.message)
    : (problem ?? said("Accepted", true, "Accepted"));
  return {
    name: spec.name,
    attachedRoutes: attached.size,
    kinds: protocols.includes(spec.protocol),
    conditions: [
      accepted,
      isConflict ? problem : said("Conflicted", false, "NoConflicts"),
      refs,
      listener
        ? said("Programmed", true, "Programmed")
        : said("Programmed", false, "Invalid", (problem ?? refs).message),
    ],
  };
}

const isGateway = ({ group = "gateway.networking.k8s.io", kind = "Gateway" }: any) =>
  group === "gateway.networking.k8s.io" && kind === "Gateway";

export function planGateways(input: GatewayInput): GatewayPlan {
  const open = input.gateways.map((gateway) => ({
    gateway,
    listeners: gateway.spec.listeners.map((spec: any) =>
      openListener(gateway, spec, input),
    ) as Open[],
  }));
  const routes = input.routes.flatMap((route): RouteStatus[] => {
    const parents = (route.spec.parentRefs ?? []).filter(isGateway).flatMap((parentRef: any) => {
      const namespace = parentRef.namespace ?? route.metadata.namespace;
      const own = open.find(
        ({ gateway: { metadata } }) =>
          metadata.namespace === namespace && metadata.name === parentRef.name,
      );
      return own ? [{ parentRef, conditions: attach(route, parentRef, own.listeners, input) }] : [];
    });
    return parents.length > 0 ? [{ route, parents }] : [];
  });
  return {
    listeners: open.flatMap(({ listeners }) => listeners.flatMap(({ listener }) => listener ?? [])),
    gateways: open.map(({ gateway, listeners }) => ({
      gateway,
      listeners: listeners.map(statusOf),
    })),
    routes,
  };
}
