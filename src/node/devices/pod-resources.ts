// Which devices each container has, for those who watch devices (PodResources API v1).
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Cpus } from "../cpus/cpus.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { PreparedClaims } from "./claims.ts";
import type { Device, DeviceLedger } from "./ledger.ts";
import { lister } from "./protocols.ts";

export interface PodResourcesOptions {
  /** `/var/lib/kubelet/pod-resources`. */
  socketDirectory: string;
  ledger: DeviceLedger;
  claims: PreparedClaims;
  cpus: Pick<Cpus, "own" | "lendable">;
  /** Those that run, or are to. */
  pods: () => Pod[];
  scope: Scope;
}

/** One entry for devices that are at one place. */
function byPlace(resource: string, devices: Device[]) {
  const places = new Map<string, any>();
  for (const { ID, topology } of devices) {
    const key = JSON.stringify(topology ?? null);
    const known = places.get(key);
    if (known) known.device_ids.push(ID);
    else {
      const entry = { resource_name: resource, device_ids: [ID] };
      places.set(key, { ...entry, ...(topology && { topology }) });
    }
  }
  return [...places.values()];
}

function containerOf(pod: Pod, container: Container, options: PodResourcesOptions) {
  const { ledger, claims, cpus } = options;
  const devices = ledger.of(pod.metadata.uid, container.name).flatMap(({ resource, ids }) => {
    const all = ledger.devices.get(resource);
    return byPlace(
      resource,
      ids.map((id) => all?.get(id) ?? { ID: id, health: "" }),
    );
  });
  const dynamic_resources = claims.of(pod, container).map(({ claim, devices: prepared }) => ({
    claim_name: claim.name,
    claim_namespace: claim.namespace,
    claim_resources: prepared.map((one) => ({
      cdi_devices: one.cdi_device_ids.map((name) => ({ name })),
      driver_name: one.driver,
      pool_name: one.pool_name,
      device_name: one.device_name,
      ...(one.share_id && { share_id: one.share_id }),
    })),
  }));
  return { name: container.name, devices, dynamic_resources, cpu_ids: cpus.own(pod, container) };
}

const resourcesOf = (pod: Pod, options: PodResourcesOptions) => ({
  name: pod.metadata.name,
  namespace: pod.metadata.namespace,
  containers: [
    ...(pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always"),
    ...pod.spec.containers,
  ].map((container) => containerOf(pod, container, options)),
});

function methodsOf(options: PodResourcesOptions) {
  const { ledger, cpus, pods } = options;
  return {
    List: {
      request: "ListPodResourcesRequest",
      response: "ListPodResourcesResponse",
      answer: () => ({ pod_resources: pods().map((pod) => resourcesOf(pod, options)) }),
    },
    Get: {
      request: "GetPodResourcesRequest",
      response: "GetPodResourcesResponse",
      answer: ({ pod_name: name, pod_namespace: namespace }: any) => {
        const pod = pods().find(
          ({ metadata }) => metadata.name === name && metadata.namespace === namespace,
        );
        if (pod) return { pod_resources: resourcesOf(pod, options) };
        throw grpcError("NOT_FOUND", `pod ${name} in namespace ${namespace} not found`);
      },
    },
    GetAllocatableResources: {
      request: "AllocatableResourcesRequest",
      response: "AllocatableResourcesResponse",
      answer: () => ({
        cpu_ids: cpus.lendable(),
        devices: [...ledger.devices].flatMap(([resource, devices]) =>
          byPlace(
            resource,
            [...devices.values()].filter(({ health }) => health === "Healthy"),
          ),
        ),
      }),
    },
  };
}

export async function servePodResources(options: PodResourcesOptions) {
  const { socketDirectory, scope } = options;
  const path = join(socketDirectory, "kubelet.sock");
  await mkdir(socketDirectory, { recursive: true });
  await rm(path, { force: true });
  const listener = await listenGrpc(path, [{ ...lister, methods: methodsOf(options) }]);
  scope.defer(async () => {
    listener.close();
    await rm(path, { force: true });
  });
}
