// Objects that a site keeps about itself: the class of its local volumes, and where the API server and the DNS server answer behind their
// Services. They have no pods to select, so their EndpointSlices are written here.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Draft } from "../../kinds/object.ts";
import { familyOf } from "../../lib/ip-range.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import { isStatus } from "../../lib/status-error.ts";
import { runnerMemoryBytes } from "../../wasm/bundle.ts";
import { familiesOf } from "./site-settings.ts";
import type { SiteAddresses } from "./site-settings.ts";

const services = resource("v1", "services");
const endpoints = resource("v1", "endpoints");
const slices = resource("discovery.k8s.io/v1", "endpointslices");
const fieldManager = "kerb";

interface SliceName {
  namespace: string;
  service: string;
  /** Default: the Service's. */
  name?: string;
}

const slice = (
  { namespace, service, name = service }: SliceName,
  address: string,
  ports: object[],
): Draft => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    name,
    namespace,
    labels: {
      "kubernetes.io/service-name": service,
      "endpointslice.kubernetes.io/managed-by": "kerb",
    },
  },
  addressType: familyOf(address),
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports,
});

export const apiServerSlice = (addresses: SiteAddresses, port: number) =>
  slice({ namespace: "default", service: "kubernetes" }, addresses.gateway, [
    { name: "https", port, protocol: "TCP" },
  ]);

/** For clients older than EndpointSlices. */
export const apiServerEndpoints = (addresses: SiteAddresses, port: number): Draft => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: {
    name: "kubernetes",
    namespace: "default",
    labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
  },
  subsets: [
    {
      addresses: [{ ip: addresses.gateway }],
      ports: [{ name: "https", port, protocol: "TCP" }],
    },
  ],
});

/** One of each family. */
export const dnsSlices = (addresses: SiteAddresses, port: number): Draft[] =>
  familiesOf(addresses).map(({ gateway }, i) => {
    const service = "kube-dns";
    const name = i === 0 ? service : `${service}-${familyOf(gateway).toLowerCase()}`;
    return slice({ namespace: "kube-system", service, name }, gateway, [
      { name: "dns", port, protocol: "UDP" },
      { name: "dns-tcp", port, protocol: "TCP" },
    ]);
  });

export const dnsService = (addresses: SiteAddresses): Draft => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "kube-dns",
    namespace: "kube-system",
    labels: { "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" },
  },
  spec: {
    clusterIP: addresses.dnsServiceIp,
    ...(addresses.second && {
      clusterIPs: familiesOf(addresses).map(({ dnsServiceIp }) => dnsServiceIp),
      ipFamilyPolicy: "PreferDualStack",
    }),
    ports: [
      { name: "dns", port: 53, protocol: "UDP" },
      { name: "dns-tcp", port: 53, protocol: "TCP" },
    ],
  },
});

/** Creates `object` or brings what we own of it up to date; writes nothing when it is true already. */
async function ensure(client: Client, where: typeof services, object: Draft) {
  const { name, namespace } = object.metadata!;
  const target = { ...where, namespace, name: name! };
  const options = { fieldManager };
  await client.patch(target, "merge", object, options).catch(async (error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
    await client.create({ ...where, namespace }, object, options);
  });
}

export const clusterRangesName = "kerb-cluster";

/** The ranges that all machines of the cluster share, for those that join it. */
export async function ensureClusterRanges(client: Client, addresses: SiteAddresses) {
  const { clusterCidr, serviceCidr, apiServiceIp, dnsServiceIp, podNetwork, second } = addresses;
  await ensure(client, resource("v1", "configmaps"), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: clusterRangesName, namespace: "kube-system" },
    data: {
      clusterCidr,
      serviceCidr,
      apiServiceIp,
      dnsServiceIp,
      ...(podNetwork && { podNetwork }),
      ...(second && { second: JSON.stringify(second) }),
    },
  });
}

export async function ensureApiServerObjects(
  client: Client,
  addresses: SiteAddresses,
  port: number,
) {
  await ensure(client, endpoints, apiServerEndpoints(addresses, port));
  await ensure(client, slices, apiServerSlice(addresses, port));
}

export async function ensureDnsObjects(client: Client, addresses: SiteAddresses, port: number) {
  await ensure(client, services, dnsService(addresses));
  for (const one of dnsSlices(addresses, port)) await ensure(client, slices, one);
}

/** What its owners make of it afterwards is theirs. */
async function createOnce(client: Client, target: ReturnType<typeof resource>, draft: Draft) {
  await client.create(target, draft, { fieldManager }).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

export function ensureStorageClass(client: Client) {
  const isDefault = "storageclass.kubernetes.io/is-default-class";
  return createOnce(client, resource("storage.k8s.io/v1", "storageclasses"), {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "local-path", annotations: { [isDefault]: "true" } },
    provisioner: localVolumes.provisioner,
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
    allowVolumeExpansion: true,
  });
}

/** Pods of this class run WebAssembly. */
export function ensureRuntimeClass(client: Client) {
  return createOnce(client, resource("node.k8s.io/v1", "runtimeclasses"), {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "wasm" },
    handler: "wasm",
    overhead: { podFixed: { memory: `${runnerMemoryBytes / 2 ** 20}Mi` } },
  });
}
