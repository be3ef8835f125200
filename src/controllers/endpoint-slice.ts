// EndpointSlices of Services that select pods: which addresses answer, on which ports, and whether they are
// ready. Named ports may mean different numbers in different pods, so slices are grouped by their ports.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { familyOf } from "../lib/ip-range.ts";
import type { IpFamily } from "../lib/ip-range.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { withHints } from "./endpoint-slice/topology-hints.ts";
import type { Hinted } from "./endpoint-slice/topology-hints.ts";
import { expectationsOf } from "./expectations.ts";
import { controllerReference } from "./pod-template.ts";
import { hasFinished, isReady, isTerminating } from "./pod-state.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

export const services = resource("v1", "services");
const pods = resource("v1", "pods");
const nodes = resource("v1", "nodes");
export const endpointSlices = resource("discovery.k8s.io/v1", "endpointslices");

const managedBy = "endpointslice.kubernetes.io/managed-by";
const manager = "endpointslice-controller.k8s.io";
export const serviceLabel = "kubernetes.io/service-name";
const endpointsMax = 100;

/** Does a plain map of labels match? An empty one selects nothing here. */
export const selects = (selector: Record<string, string> | undefined, pod: KubeObject) => {
  const pairs = Object.entries(selector ?? {});
  return pairs.length > 0 && pairs.every(([k, v]) => pod.metadata.labels?.[k] === v);
};

/** The pod's number for a Service port; undefined when the pod has no port of that name. */
function targetPort(port: any, pod: KubeObject): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target;
  const sidecars = (pod.spec.initContainers ?? []).filter((c: any) => c.restartPolicy === "Always");
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const one of container.ports ?? []) {
      if (one.name === target && (one.protocol ?? "TCP") === (port.protocol ?? "TCP")) {
        return one.containerPort;
      }
    }
  }
  return undefined;
}

export interface EndpointPort {
  /** "" for the one port of a Service that names none. */
  name: string;
  protocol: string;
  port: number;
  appProtocol?: string;
}

/** The ports of a Service that `pod` has, as numbers. */
export const portsOf = (service: KubeObject, pod: KubeObject): EndpointPort[] =>
  (service.spec.ports ?? []).flatMap((port: any) => {
    const number = targetPort(port, pod);
    const { name = "", protocol = "TCP", appProtocol } = port;
    return number === undefined
      ? []
      : [{ name, protocol, port: number, ...(appProtocol && { appProtocol }) }];
  });

/** A pod's address of this family. */
export const addressOf = ({ status }: KubeObject, family: IpFamily): string | undefined =>
  (status?.podIPs ?? (status?.podIP ? [{ ip: status.podIP }] : []))
    .map(({ ip }: { ip: string }) => ip)
    .find((ip: string) => familyOf(ip) === family);

/** The families of a Service's addresses, its own first. */
export const familiesOf = ({ spec }: KubeObject): IpFamily[] =>
  spec.ipFamilies ??
  (spec.clusterIP && spec.clusterIP !== "None" ? [familyOf(spec.clusterIP)] : ["IPv4"]);

interface Endpoint extends Hinted {
  addresses: string[];
  conditions: { ready: boolean; serving: boolean; terminating: boolean };
  hostname?: string;
  targetRef: { kind: string; namespace: string | undefined; name: string; uid: string };
}

function endpointOf(
  pod: KubeObject,
  address: string,
  { service, zone }: { service: KubeObject; zone: string | undefined },
): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const all = service.spec.publishNotReadyAddresses === true;
  const { hostname, subdomain, nodeName } = pod.spec;
  const named = hostname && subdomain === service.metadata.name ? { hostname } : {};
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: { ready: all || (serving && !terminating), serving: all || serving, terminating },
    ...named,
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

export interface WantedSlice<E = Endpoint> {
  addressType: string;
  ports: object[];
  endpoints: E[];
}

interface Nodes {
  zoneOf: (node: string) => string | undefined;
  all: () => KubeObject[];
}

/** The slices of one family that `service` should have, each within the limit. Pure. */
export function planSlices(
  service: KubeObject,
  members: KubeObject[],
  { addressType, zoneOf, all: nodesNow }: Nodes & { addressType: IpFamily },
): WantedSlice[] {
  const groups = new Map<string, WantedSlice>();
  for (const pod of members) {
    const address = addressOf(pod, addressType);
    if (!address || hasFinished(pod)) continue;
    const ports = portsOf(service, pod);
    const key = JSON.stringify(ports);
    const group: WantedSlice = groups.get(key) ?? { addressType, ports, endpoints: [] };
    const zone = zoneOf(pod.spec.nodeName);
    group.endpoints.push(endpointOf(pod, address, { service, zone }));
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ ports, endpoints }) => {
    const hinted = withHints(service, endpoints, nodesNow);
    const sorted = hinted.sort((a, b) => (a.addresses[0]! < b.addresses[0]! ? -1 : 1));
    const slices: WantedSlice[] = [];
    for (let i = 0; i < sorted.length; i += endpointsMax) {
      slices.push({ addressType, ports, endpoints: sorted.slice(i, i + endpointsMax) });
    }
    return slices;
  });
}

function draftOf(service: KubeObject, slice: WantedSlice): Draft {
  const headless = service.spec.clusterIP === "None";
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace!,
      labels: {
        ...service.metadata.labels,
        [serviceLabel]: service.metadata.name,
        [managedBy]: manager,
        ...(headless && { "service.kubernetes.io/headless": "" }),
      },
      ownerReferences: [controllerReference(service)],
    },
    ...slice,
  };
}

export interface SlicePlan<Slice> {
  create: Slice[];
  update: { slice: KubeObject; to: Slice }[];
  delete: KubeObject[];
}

/**
 * What to do so that `known`, all of one family, become the `wanted`, or the `fallback` when nothing is wanted.
 * Pure.
 */
export function planWrites<Slice extends WantedSlice<object>>(
  wanted: Slice[],
  known: KubeObject[],
  fallback: Slice[],
): SlicePlan<Slice> {
  const spare = [...known];
  const changed = (wanted.length > 0 ? wanted : fallback).filter((slice) => {
    const same = spare.findIndex(
      (one) =>
        jsonEqual(one["endpoints"] ?? [], slice.endpoints) &&
        jsonEqual(one["ports"] ?? [], slice.ports),
    );
    if (same >= 0) spare.splice(same, 1);
    return same < 0;
  });
  const reused = spare.splice(0, changed.length);
  return {
    update: reused.map((slice, i) => ({ slice, to: changed[i]! })),
    create: changed.slice(reused.length),
    delete: spare,
  };
}

async function write(
  service: KubeObject,
  plan: SlicePlan<WantedSlice>,
  context: ControllerContext,
) {
  const { client } = context;
  const { namespace, name } = service.metadata;
  const key = `${namespace}/${name}`;
  const target = { ...endpointSlices, namespace };
  for (const { slice, to } of plan.update) {
    const { labels } = draftOf(service, to).metadata!;
    const { name: at, uid } = slice.metadata;
    const { ports, endpoints } = to;
    const change = { metadata: { uid, labels }, ports, endpoints };
    await client.patch({ ...target, name: at }, "merge", change);
  }
  for (const slice of plan.create) {
    const created = await client.create(target, draftOf(service, slice));
    expectationsOf(context).created(key, created);
  }
  for (const { metadata } of plan.delete) {
    await client.delete({ ...target, name: metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

async function reconcile(key: Key, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const service = context.informer(services).get(name, namespace);
  const expectations = expectationsOf(context);
  // Slices are named by chance: one that the cache does not show yet would be made twice.
  if (!expectations.met(key, context.informer(endpointSlices))) return context.wakeAfter(key, 1000);
  if (!service || service.metadata.deletionTimestamp) return;
  if (!service.spec.selector || service.spec.type === "ExternalName") return;
  const members = context
    .informer(pods)
    .list(namespace)
    .filter((pod) => selects(service.spec.selector, pod));
  const zoneOf = (node: string) =>
    context.informer(nodes).get(node)?.metadata.labels?.["topology.kubernetes.io/zone"];
  const known = context
    .informer(endpointSlices)
    .byIndex("service", key)
    .filter(({ metadata }) => metadata.labels?.[managedBy] === manager);
  const families = familiesOf(service);
  for (const addressType of families) {
    const all = () => context.informer(nodes).list();
    const wanted = planSlices(service, members, { addressType, zoneOf, all });
    const own = known.filter((slice) => slice["addressType"] === addressType);
    // A Service without endpoints keeps an empty slice.
    const plan = planWrites(wanted, own, [{ addressType, ports: [], endpoints: [] }]);
    await write(service, plan, context);
  }
  const gone = known.filter((slice) => !families.includes(slice["addressType"]));
  await write(service, { create: [], update: [], delete: gone }, context);
}

/** The Services of which a pod is or was a member. */
export function memberKeys(
  pod: KubeObject,
  context: ControllerContext,
  previous?: KubeObject,
): Key[] {
  const seen = ({ metadata, spec, status }: KubeObject) => [
    metadata.labels,
    metadata.deletionTimestamp,
    spec.nodeName,
    status?.podIP,
    status?.podIPs,
    status?.phase,
    status?.conditions?.find((c: any) => c.type === "Ready")?.status,
  ];
  if (previous && jsonEqual(seen(previous), seen(pod))) return [];
  return context
    .informer(services)
    .list(pod.metadata.namespace)
    .filter(
      ({ spec }) => selects(spec.selector, pod) || (previous && selects(spec.selector, previous)),
    )
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

export const endpointSliceController: Controller = {
  name: "endpoint-slice",
  inputs: [
    { resource: services },
    { resource: pods, keys: memberKeys },
    {
      resource: endpointSlices,
      keys: ({ metadata }) => {
        const service = metadata.labels?.[serviceLabel];
        return service && metadata.labels?.[managedBy] === manager
          ? [`${metadata.namespace}/${service}`]
          : [];
      },
    },
    { resource: nodes, keys: () => [] },
  ],
  outputs: [endpointSlices],
  start(context) {
    context
      .informer(endpointSlices)
      .addIndex("service", ({ metadata }) => [
        `${metadata.namespace}/${metadata.labels?.[serviceLabel] ?? ""}`,
      ]);
  },
  reconcile,
};
