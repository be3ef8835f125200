// EndpointSlices of Endpoints that people write themselves, for Services that select no pods: what reads
// slices, such as the service proxy, follows those too.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { endpointSlices, planWrites, serviceLabel, services } from "./endpoint-slice.ts";
import type { WantedSlice } from "./endpoint-slice.ts";
import { expectationsOf } from "./expectations.ts";
import { controllerReference } from "./pod-template.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const endpoints = resource("v1", "endpoints");
const managedBy = "endpointslice.kubernetes.io/managed-by";
const manager = "endpointslicemirroring-controller.k8s.io";
const skip = "endpointslice.kubernetes.io/skip-mirror";
const leader = "control-plane.alpha.kubernetes.io/leader";
const lastTrigger = "endpoints.kubernetes.io/last-change-trigger-time";
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
/** Of one subset; more are left out, as Kubernetes does. */
const addressesMax = 1000;

type Mirrored = WantedSlice<object>;

function endpointOf(address: any, ready: boolean) {
  const { ip, hostname, nodeName, targetRef } = address;
  return {
    addresses: [ip as string],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}

/** One slice for each set of ports and kind of address. Pure. */
export function planMirror(object: KubeObject): Mirrored[] {
  const groups = new Map<string, Mirrored>();
  for (const subset of (object["subsets"] as any[] | undefined) ?? []) {
    const ports = (subset.ports ?? []).map(({ name = "", ...port }: any) => ({ name, ...port }));
    const found = [
      ...(subset.addresses ?? []).map((address: any) => endpointOf(address, true)),
      ...(subset.notReadyAddresses ?? []).map((address: any) => endpointOf(address, false)),
    ].slice(0, addressesMax);
    for (const endpoint of found) {
      const addressType = endpoint.addresses[0]!.includes(":") ? "IPv6" : "IPv4";
      const key = JSON.stringify([addressType, ports]);
      const group: Mirrored = groups.get(key) ?? { addressType, ports, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

/** Is this one of ours to mirror? A Service with a selector has slices of its own. */
function isMirrored(object: KubeObject | undefined, service: KubeObject | undefined) {
  if (!object || object.metadata.deletionTimestamp || !service || service.spec.selector)
    return false;
  const { labels, annotations } = object.metadata;
  return labels?.[skip] !== "true" && annotations?.[leader] === undefined;
}

function draftOf(object: KubeObject, slice: Mirrored): Draft {
  const { name, namespace, labels, annotations } = object.metadata;
  const { [lastTrigger]: _, [lastApplied]: __, ...kept } = annotations ?? {};
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${name}-`,
      namespace: namespace!,
      labels: { ...labels, [serviceLabel]: name, [managedBy]: manager },
      annotations: kept,
      ownerReferences: [controllerReference(object)],
    },
    ...slice,
  };
}

async function reconcile(key: Key, context: ControllerContext) {
  const { client, informer } = context;
  const [namespace, name] = key.split("/") as [string, string];
  const expectations = expectationsOf(context);
  // Slices are named by chance: one that the cache does not show yet would be made twice.
  if (!expectations.met(key, informer(endpointSlices))) return context.wakeAfter(key, 1000);
  const object = informer(endpoints).get(name, namespace);
  const mirrored = isMirrored(object, informer(services).get(name, namespace));
  const wanted = mirrored ? planMirror(object!) : [];
  const known = informer(endpointSlices)
    .byIndex("mirrored", key)
    .filter(({ metadata }) => metadata.labels?.[managedBy] === manager);
  const target = { ...endpointSlices, namespace };
  const gone: KubeObject[] = [];
  for (const addressType of ["IPv4", "IPv6"]) {
    const own = known.filter((slice) => slice["addressType"] === addressType);
    const plan = planWrites(
      wanted.filter((slice) => slice.addressType === addressType),
      own,
      [],
    );
    for (const { slice, to } of plan.update) {
      const { name: at, uid } = slice.metadata;
      const { labels, annotations } = draftOf(object!, to).metadata!;
      const metadata = { uid, labels, annotations };
      await client.patch({ ...target, name: at }, "merge", { metadata, ...to });
    }
    for (const slice of plan.create) {
      expectations.created(key, await client.create(target, draftOf(object!, slice)));
    }
    gone.push(...plan.delete);
  }
  for (const { metadata } of gone) {
    await client.delete({ ...target, name: metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

export const endpointSliceMirroringController: Controller = {
  name: "endpoint-slice-mirroring",
  inputs: [
    { resource: endpoints },
    { resource: services },
    {
      resource: endpointSlices,
      keys: ({ metadata }) => {
        const service = metadata.labels?.[serviceLabel];
        return service && metadata.labels?.[managedBy] === manager
          ? [`${metadata.namespace}/${service}`]
          : [];
      },
    },
  ],
  outputs: [endpointSlices],
  start(context) {
    context
      .informer(endpointSlices)
      .addIndex("mirrored", ({ metadata }) => [
        `${metadata.namespace}/${metadata.labels?.[serviceLabel] ?? ""}`,
      ]);
  },
  reconcile,
};
