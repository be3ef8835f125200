// The Endpoints object of each Service that selects pods: the form before EndpointSlices, which older
// clients and charts still read.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { addressOf, familiesOf, memberKeys, portsOf, selects, services } from "./endpoint-slice.ts";
import { hasFinished, isReady, isTerminating } from "./pod-state.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const endpoints = resource("v1", "endpoints");
const pods = resource("v1", "pods");
const managedBy = "endpoints.kubernetes.io/managed-by";
const manager = "endpoint-controller";
const headlessLabel = "service.kubernetes.io/headless";
const overCapacity = "endpoints.kubernetes.io/over-capacity";
const addressesMax = 1000;

export interface Subset {
  addresses?: object[];
  notReadyAddresses?: object[];
  ports?: object[];
}

function endpointOf({ metadata, spec }: KubeObject, ip: string, service: KubeObject) {
  const { name, namespace, uid } = metadata;
  const named = spec.hostname && spec.subdomain === service.metadata.name;
  return {
    ip,
    ...(named && { hostname: spec.hostname }),
    ...(spec.nodeName && { nodeName: spec.nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

/** Pods with the same ports share a subset. Pure. */
export function planSubsets(service: KubeObject, members: KubeObject[]): Subset[] {
  const all = service.spec.publishNotReadyAddresses === true;
  const groups = new Map<string, Subset>();
  // This form knows one family alone.
  const [family] = familiesOf(service);
  const sorted = members
    .filter((pod) => !hasFinished(pod) && (all || !isTerminating(pod)))
    .flatMap((pod) => {
      const ip = addressOf(pod, family!);
      return ip === undefined ? [] : [{ pod, ip }];
    })
    .sort((a, b) => (a.ip < b.ip ? -1 : 1))
    .slice(0, addressesMax);
  for (const { pod, ip } of sorted) {
    const ports = portsOf(service, pod).map(({ name, ...port }) => ({
      ...(name && { name }),
      ...port,
    }));
    // A pod that has none of the ports is no endpoint; a headless Service may have no ports at all.
    if (ports.length === 0 && service.spec.ports?.length > 0) continue;
    const key = JSON.stringify(ports);
    const subset: Subset = groups.get(key) ?? {};
    const list = all || isReady(pod) ? "addresses" : "notReadyAddresses";
    (subset[list] ??= []).push(endpointOf(pod, ip, service));
    groups.set(key, subset);
    if (ports.length > 0) subset.ports = ports;
  }
  return [...groups.values()];
}

function draftOf(service: KubeObject, members: KubeObject[]) {
  const { name, namespace, labels } = service.metadata;
  const headless = service.spec.clusterIP === "None";
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name,
      namespace: namespace!,
      labels: { ...labels, [managedBy]: manager, ...(headless && { [headlessLabel]: "" }) },
      ...(members.length > addressesMax && { annotations: { [overCapacity]: "truncated" } }),
    },
    subsets: planSubsets(service, members),
  };
}

async function removeOwn(name: string, namespace: string, { client, informer }: ControllerContext) {
  const known = informer(endpoints).get(name, namespace);
  if (known?.metadata.labels?.[managedBy] !== manager) return;
  const preconditions = { uid: known.metadata.uid };
  await client
    .delete({ ...endpoints, namespace, name }, { preconditions })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
}

async function reconcile(key: Key, context: ControllerContext) {
  const { client, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const service = informer(services).get(name, namespace);
  if (!service || service.metadata.deletionTimestamp) return removeOwn(name, namespace, context);
  if (!service.spec.selector || service.spec.type === "ExternalName") return;
  const members = informer(pods)
    .list(namespace)
    .filter((pod) => selects(service.spec.selector, pod));
  const draft = draftOf(service, members);
  const known = informer(endpoints).get(name, namespace);
  if (!known) return void (await client.create({ ...endpoints, namespace }, draft));
  const same =
    jsonEqual(known["subsets"] ?? [], draft.subsets) &&
    jsonEqual(known.metadata.labels, draft.metadata.labels);
  if (same) return;
  const { [overCapacity]: _, ...annotations } = known.metadata.annotations ?? {};
  const metadata = {
    ...known.metadata,
    labels: draft.metadata.labels,
    annotations: { ...annotations, ...draft.metadata.annotations },
  };
  const object = { ...known, subsets: draft.subsets, metadata };
  await client.update({ ...endpoints, namespace, name }, object);
}

export const endpointsController: Controller = {
  name: "endpoints",
  inputs: [
    { resource: services },
    { resource: pods, keys: memberKeys },
    {
      resource: endpoints,
      keys: ({ metadata }) =>
        metadata.labels?.[managedBy] === manager ? [`${metadata.namespace}/${metadata.name}`] : [],
    },
  ],
  outputs: [endpoints],
  reconcile,
};
