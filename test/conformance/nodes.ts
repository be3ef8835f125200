// Two nodes without machines: they report themselves Ready, and say of every pod bound to them that it
// runs. Nothing is executed, so only what the API and the controllers promise can be tried on them.
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import type { Informers } from "../../src/client/informers.ts";
import type { KubeObject } from "../../src/kinds/object.ts";
import { microTimestamp, timestamp } from "../../src/lib/clock.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Scope } from "../../src/lib/scope.ts";
import { isStatus } from "../../src/lib/status-error.ts";

const pods = resource("v1", "pods");
const nodes = resource("v1", "nodes");
const leases = { ...resource("coordination.k8s.io/v1", "leases"), namespace: "kube-node-lease" };
const renewMs = 10_000;
const capacity = {
  cpu: "4",
  memory: "8Gi",
  "ephemeral-storage": "100Gi",
  pods: "110",
};

export interface Options {
  client: Client;
  informers: Informers;
  clock: Clock;
  scope: Scope;
  version: string;
}

function nodeStatus(name: string, at: number, { clock, version }: Options) {
  const lastTransitionTime = timestamp(clock.now());
  const lastHeartbeatTime = lastTransitionTime;
  const healthy = ["MemoryPressure", "DiskPressure", "PIDPressure"].map((type) => ({
    type,
    status: "False",
    reason: "KubeletHasSufficient",
    lastTransitionTime,
    lastHeartbeatTime,
  }));
  return {
    capacity,
    allocatable: capacity,
    conditions: [
      ...healthy,
      {
        type: "Ready",
        status: "True",
        reason: "KubeletReady",
        lastTransitionTime,
        lastHeartbeatTime,
      },
    ],
    addresses: [
      { type: "InternalIP", address: hostAddress(at) },
      { type: "Hostname", address: name },
    ],
    nodeInfo: {
      architecture: "amd64",
      bootID: name,
      containerRuntimeVersion: "none://0",
      kernelVersion: "0",
      kubeProxyVersion: version,
      kubeletVersion: version,
      machineID: name,
      operatingSystem: "linux",
      osImage: "none",
      systemUUID: name,
    },
  };
}

const hostAddress = (at: number) => `192.168.100.${at + 1}`;

/** Creates the node, or says again that it lives. */
async function register(name: string, at: number, options: Options) {
  const { client } = options;
  const labels = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
  };
  await client
    .create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name, labels } })
    .catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  const status = nodeStatus(name, at, options);
  await client.patch({ ...nodes, name, subresource: "status" }, "merge", { status });
}

async function renew(name: string, { client, clock }: Options) {
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: 40,
    renewTime: microTimestamp(clock.now()),
  };
  const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name }, spec };
  await client.patch({ ...leases, name }, "merge", { spec }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
    return client.create(leases, body);
  });
}

/** Images that exist, as far as these nodes know: the suite names others to have pods that never start. */
const exists = (image: string) => image.startsWith("registry.k8s.io/");

function containerStatus(container: any, state: object) {
  const { name, image } = container;
  return {
    name,
    image,
    imageID: `${image}@sha256:${"0".repeat(64)}`,
    containerID: `none://${name}`,
    restartCount: 0,
    ready: true,
    started: true,
    resources: container.resources ?? {},
    ...(container.resources?.requests && { allocatedResources: container.resources.requests }),
    state,
  };
}

/** What a kubelet says of a container whose image it cannot get. */
function waitingStatus({ name, image }: any) {
  const waiting = { reason: "ErrImagePull", message: `no image ${image}` };
  return {
    name,
    image,
    imageID: "",
    restartCount: 0,
    ready: false,
    started: false,
    state: { waiting },
  };
}

/** What a kubelet says of a pod whose containers run as far as their images exist. Pure. */
export function runningStatus(
  pod: KubeObject,
  address: { host: string; pod: string },
  now: string,
) {
  const { initContainers = [], containers } = pod.spec as any;
  const own = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
  ];
  const foreign = ((pod.status as any)?.conditions ?? []).filter((c: any) => !own.includes(c.type));
  const observedGeneration = pod.metadata.generation;
  const pulled = containers.every((c: any) => exists(c.image));
  const isTrue = (type: string) => pulled || (type !== "Ready" && type !== "ContainersReady");
  const podIP = pod.spec!.hostNetwork ? address.host : address.pod;
  const done = {
    terminated: { exitCode: 0, reason: "Completed", startedAt: now, finishedAt: now },
  };
  return {
    phase: pulled ? "Running" : "Pending",
    observedGeneration,
    startTime: now,
    hostIP: address.host,
    hostIPs: [{ ip: address.host }],
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [
      ...foreign,
      ...own.map((type) => ({
        type,
        status: isTrue(type) ? "True" : "False",
        lastTransitionTime: now,
        observedGeneration,
      })),
    ],
    initContainerStatuses: initContainers.map((c: any) => containerStatus(c, done)),
    containerStatuses: containers.map((c: any) =>
      exists(c.image) ? containerStatus(c, { running: { startedAt: now } }) : waitingStatus(c),
    ),
  };
}

/** Registers the nodes and keeps them and their pods alive until the scope closes. */
export async function startNodes(names: string[], options: Options) {
  const { client, informers, clock, scope } = options;
  await Promise.all(names.map((name, at) => register(name, at, options)));
  const beat = () =>
    Promise.all(names.map((name) => renew(name, options))).catch((error: unknown) => {
      if (!scope.closed) throw error;
    });
  await beat();
  scope.defer(clock.every(renewMs, () => void beat()));
  let last = 0;
  const addresses = new Map<string, string>();

  const look = async (pod: KubeObject) => {
    const { name, namespace, uid, generation, deletionTimestamp } = pod.metadata;
    const at = names.indexOf(pod.spec!.nodeName as string);
    if (at < 0) return;
    const target = { ...pods, namespace, name };
    const status = pod.status as any;
    if (deletionTimestamp) {
      return client.delete(target, { gracePeriodSeconds: 0, preconditions: { uid } });
    }
    const finished = status?.phase === "Succeeded" || status?.phase === "Failed";
    if (finished || (status?.startTime && status.observedGeneration === generation)) return;
    let podAddress = addresses.get(uid!);
    if (!podAddress) {
      last += 1;
      addresses.set(uid!, (podAddress = `10.1.${last >> 8}.${last & 255}`));
    }
    const address = { host: hostAddress(at), pod: podAddress };
    const reported = runningStatus(pod, address, timestamp(clock.now()));
    return client.patch({ ...target, subresource: "status" }, "merge", { status: reported });
  };
  const see = (pod: KubeObject) =>
    void look(pod).catch((error: unknown) => {
      const gone = isStatus(error, "NotFound") || isStatus(error, "Conflict");
      if (!gone && !scope.closed) console.error(`pod ${pod.metadata.name}:`, error);
    });
  const watched = informers.get({ resource: pods });
  const onDelete = (pod: KubeObject) => void addresses.delete(pod.metadata.uid!);
  scope.defer(watched.subscribe({ onAdd: see, onUpdate: see, onDelete }));
}
