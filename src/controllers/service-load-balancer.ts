// Gives Services of type LoadBalancer the addresses of nodes, where every node lets their ports in. Of two
// Services that want the same port the older has it; ports that the site itself answers on are nobody's.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { familyOf, ipFamilies } from "../lib/ip-range.ts";
import type { IpFamily } from "../lib/ip-range.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { endpointSlices, familiesOf, serviceLabel, services } from "./endpoint-slice.ts";
import { isReady } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const nodes = resource("v1", "nodes");

/** The class that this controller serves besides those that name none. */
export const loadBalancerClass = "kerb.dev/node-addresses";
const excluded = "node.kubernetes.io/exclude-from-external-load-balancers";

export const isOurs = ({ spec }: KubeObject) =>
  spec.type === "LoadBalancer" &&
  (!spec.loadBalancerClass || spec.loadBalancerClass === loadBalancerClass);

const portsOf = ({ spec }: KubeObject): string[] =>
  (spec.ports ?? []).map((port: any) => `${port.protocol ?? "TCP"}/${port.port}`);

const isOlder = (a: KubeObject, b: KubeObject) => {
  const key = ({ metadata }: KubeObject) =>
    `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b);
};

/** Why a Service cannot have its ports on the nodes' addresses; undefined when it can. Pure. */
export function conflictOf(
  service: KubeObject,
  all: KubeObject[],
  reserved: ReadonlySet<number>,
): string | undefined {
  const ports = portsOf(service);
  const own = service.spec.ports?.find(({ port }: any) => reserved.has(port));
  if (own) return `port ${own.port} of the nodes is the site's own`;
  for (const other of all) {
    if (!isOurs(other) || other.metadata.uid === service.metadata.uid) continue;
    if (other.metadata.deletionTimestamp || !isOlder(other, service)) continue;
    const taken = portsOf(other).find((port) => ports.includes(port));
    const { namespace, name } = other.metadata;
    if (taken) return `port ${taken} of the nodes is taken by Service ${namespace}/${name}`;
  }
  return undefined;
}

/** Where others reach the node by this family. */
function addressOf({ status }: KubeObject, family: IpFamily): string | undefined {
  const addresses: any[] = status?.addresses ?? [];
  const of = (type: string) =>
    addresses.find((one) => one.type === type && familyOf(one.address) === family)?.address;
  return of("ExternalIP") ?? of("InternalIP");
}

/** The addresses that let a Service in; with local policy those of nodes with an endpoint. Pure. */
export function ingressOf(service: KubeObject, all: KubeObject[], slices: KubeObject[]) {
  const endpoints = slices.flatMap((slice) => slice["endpoints"] ?? []);
  const isLocal = service.spec.externalTrafficPolicy === "Local";
  const able = all.filter((node) => {
    if (node.metadata.labels?.[excluded] !== undefined || !isReady(node)) return false;
    if (!isLocal) return true;
    const here = (one: any) => one.nodeName === node.metadata.name;
    return endpoints.some((one: any) => here(one) && one.conditions?.ready !== false);
  });
  const addresses = familiesOf(service).flatMap((family) =>
    [...new Set(able.flatMap((node) => addressOf(node, family) ?? []))].sort(),
  );
  return addresses.map((ip) => ({ ip, ipMode: "VIP" }));
}

const balanced = ({ informer }: ControllerContext) =>
  informer(services)
    .list()
    .filter(isOurs)
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

const shown = ({ metadata, status }: KubeObject) => [
  metadata.labels?.[excluded],
  ipFamilies.map((family) => addressOf({ metadata, status } as KubeObject, family)),
  isReady({ metadata, status } as KubeObject),
];

export const serviceLoadBalancer = (reserved: ReadonlySet<number>): Controller => ({
  name: "service-load-balancer",
  inputs: [
    {
      resource: services,
      keys: (service, context, previous) => [
        `${service.metadata.namespace}/${service.metadata.name}`,
        // Another may have the ports of one that goes or changes.
        ...(isOurs(service) || (previous && isOurs(previous)) ? balanced(context) : []),
      ],
    },
    {
      resource: nodes,
      keys: (node, context, previous) =>
        previous && jsonEqual(shown(previous), shown(node)) ? [] : balanced(context),
    },
    {
      resource: endpointSlices,
      keys: ({ metadata }) => [`${metadata.namespace}/${metadata.labels?.[serviceLabel] ?? ""}`],
    },
  ],
  outputs: [{ ...services, resource: "services/status" }],
  async reconcile(key, { client, informer, event }) {
    const [namespace, name] = key.split("/") as [string, string];
    const service = informer(services).get(name, namespace);
    if (!service || service.metadata.deletionTimestamp) return;
    const known = service.status?.loadBalancer?.ingress ?? [];
    const isOther = service.spec.type === "LoadBalancer" && !isOurs(service);
    if (isOther || (!isOurs(service) && known.length === 0)) return;
    const why = isOurs(service) && conflictOf(service, informer(services).list(), reserved);
    if (why) event(service, "Warning", "SyncLoadBalancerFailed", why);
    const slices = informer(endpointSlices)
      .list(namespace)
      .filter(({ metadata }) => metadata.labels?.[serviceLabel] === name);
    const isServed = isOurs(service) && !why;
    const ingress = isServed ? ingressOf(service, informer(nodes).list(), slices) : [];
    if (jsonEqual(known, ingress)) return;
    const target = { ...services, namespace, name, subresource: "status" };
    const { resourceVersion } = service.metadata;
    const patch = { metadata: { resourceVersion }, status: { loadBalancer: { ingress } } };
    try {
      await client.patch(target, "merge", patch);
      if (ingress.length > 0)
        event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer");
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  },
});
