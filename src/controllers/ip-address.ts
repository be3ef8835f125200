// Every ClusterIP has its IPAddress. Usually the server makes and removes both together; what was lost by
// hand or by a crash is put right here, as for Services from before there were such objects.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { canonicalAddress, familyOf } from "../lib/ip-range.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller, ControllerContext } from "./runtime.ts";
import { ipAddresses } from "./service-cidr.ts";

const services = resource("v1", "services");
const managedBy = "ipaddress.kubernetes.io/managed-by";
const manager = "ipallocator.k8s.io";

/** An address whose Service does not come within this is left over. */
const leftOverMs = 60_000;

const clusterIps = ({ spec }: KubeObject): string[] =>
  (spec?.clusterIPs ?? [spec?.clusterIP])
    .filter((ip: string) => ip && ip !== "None")
    .map(canonicalAddress);

const draftOf = (address: string, { metadata }: KubeObject) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "IPAddress",
  metadata: {
    name: address,
    labels: {
      "ipaddress.kubernetes.io/ip-family": familyOf(address),
      [managedBy]: manager,
    },
  },
  spec: {
    parentRef: {
      group: "",
      resource: "services",
      namespace: metadata.namespace,
      name: metadata.name,
    },
  },
});

/** How long it may still stay without a Service; undefined when it is not ours to remove. Pure. */
export function leftMs({ metadata }: KubeObject, nowMs: number): number | undefined {
  if (metadata.labels?.[managedBy] !== manager) return undefined;
  const ageMs = nowMs - Date.parse(metadata.creationTimestamp ?? "");
  // A time that lies ahead was told by a wrong clock.
  return Math.max(0, Math.min(leftOverMs - ageMs, leftOverMs)) || 0;
}

async function reconcile(address: string, context: ControllerContext) {
  const { client, clock, informer, wakeAfter } = context;
  const object = informer(ipAddresses).get(address);
  const service = informer(services)
    .list()
    .find((one) => clusterIps(one).includes(address));
  if (service) {
    if (!object) await client.create(ipAddresses, draftOf(address, service));
    return;
  }
  if (!object) return;
  const left = leftMs(object, clock.now());
  if (left === undefined) return;
  if (left > 0) return wakeAfter(address, left);
  const { uid } = object.metadata;
  await client.delete({ ...ipAddresses, name: address }, { preconditions: { uid } });
}

export const ipAddress: Controller = {
  name: "ip-address",
  inputs: [
    { resource: ipAddresses },
    { resource: services, keys: (service) => clusterIps(service) },
  ],
  outputs: [ipAddresses],
  reconcile: (address, context) =>
    reconcile(address, context).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "AlreadyExists", "Conflict")) throw error;
    }),
};
