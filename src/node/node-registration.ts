// The Node object and its Lease. The lease says every ten seconds that the node lives; the status is written
// when something changed, when others said something else of it, and every hour: a status is synced to the server's disk,
// a lease is not.
import { resource } from "../client/client.ts";
import type { Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { microTimestamp, timestamp } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import { inTurn } from "../lib/in-turn.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import type { Log } from "../lib/log.ts";
import type { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { localVolumesDirectory } from "./directories.ts";
import type { Pressure } from "./eviction/plan.ts";
import { goArch } from "./machine/machine.ts";
import type { MachineFacts } from "./machine/machine.ts";
import type { Condition } from "./problems/problems.ts";
import type { NodeSettings } from "./node-settings.ts";
import { offeredBefore, withoutGone } from "./machine/offered-resources.ts";
import type { RuntimeAbilities } from "./runtime.ts";
import { kubeletPort } from "./pages/pages.ts";

/** Read by the controller that watches over nodes. */
const autonomyAnnotation = "kerb.dev/autonomy-duration";
const nodes = resource("v1", "nodes");
const leases = { ...resource("coordination.k8s.io/v1", "leases"), namespace: "kube-node-lease" };
const leaseEveryMs = 10_000;
const leaseSeconds = 40;
const statusEveryMs = 3_600_000;

/** What a Node says of itself in place of what this machine is. */
export interface NodeIdentity {
  labels: Record<string, string>;
  taints: { key: string; value: string; effect: string }[];
  architecture: string;
}

export interface NodeOptions {
  client: Client;
  clock: Clock;
  log: Log;
  scope: Scope;
  nodeName: string;
  directory: string;
  /** Where nodes reach it, the site's own family first. */
  addresses: string[];
  /** Where machines elsewhere reach it, if that is another. */
  outside?: () => Promise<string[]>;
  podCidrs: string[];
  settings?: NodeSettings;
  facts: MachineFacts;
  /** What plugins add to what the machine has. */
  devices?: () => Pick<MachineFacts, "capacity" | "allocatable">;
  /** What may be mounted here and must not be detached. */
  volumesInUse?: () => string[];
  /** What its runtime can do. */
  abilities?: RuntimeAbilities;
  /** What the machine is short of. */
  pressure: () => Promise<Pressure>;
  /** What else ails it. */
  problems?: () => Promise<Condition[]>;
  identity?: NodeIdentity;
  /** Why no containers run here; "" when they do. */
  shortcoming: () => string;
  /** The Node as the API has it. */
  shown: () => KubeObject | undefined;
}

/** Conditions in upstream's words. Pure. */
export function nodeConditions(found: Pressure, shortcoming: string): Condition[] {
  const row = (type: string, is: boolean, yes: string[], no: string[]): Condition => {
    const [reason = "", message = ""] = is ? yes : no;
    return { type, status: is ? "True" : "False", reason, message };
  };
  return [
    row(
      "MemoryPressure",
      found.memory,
      ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
      ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
    ),
    row(
      "DiskPressure",
      found.disk,
      ["KubeletHasDiskPressure", "kubelet has disk pressure"],
      ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
    ),
    row(
      "PIDPressure",
      found.pids,
      ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
      ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
    ),
    row(
      "Ready",
      shortcoming === "",
      ["KubeletReady", "kubelet is posting ready status"],
      ["KubeletNotReady", shortcoming],
    ),
  ];
}

function timed(conditions: Condition[], before: any[], now: number) {
  return conditions.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      old?.status === condition.status ? old.lastTransitionTime : timestamp(now);
    return { ...condition, lastHeartbeatTime: timestamp(now), lastTransitionTime };
  });
}

/** Whoever heard nothing of a node calls its conditions unknown: they are not what it said last. Pure. */
export const isContradicted = (said: Condition[], shown: KubeObject | undefined) =>
  said.some(({ type, status }) => {
    const known = shown?.status?.conditions?.find((one: Condition) => one.type === type);
    return known !== undefined && known.status !== status;
  });

const holds = (map: Record<string, string> = {}, wanted: Record<string, string>) =>
  Object.entries(wanted).every(([key, value]) => map[key] === value);

/** What is to go of a node's labels. Pure. */
const retired = (labels: Record<string, string> = {}, all: string[] = []) => {
  const isRetired = (key: string) =>
    all.some((one) => (one.endsWith("/") ? key.startsWith(one) : key === one));
  const gone = Object.keys(labels).filter(isRetired);
  return Object.fromEntries(gone.map((key) => [key, null]));
};

async function ensureNode(options: NodeOptions): Promise<KubeObject> {
  const { client, nodeName, podCidrs, directory, identity } = options;
  const { autonomyDuration, retiredLabels } = options.settings ?? {};
  const annotations = {
    [localVolumes.directoryAnnotation]: localVolumesDirectory(directory),
    ...(autonomyDuration && { [autonomyAnnotation]: autonomyDuration }),
  };
  const labels = {
    "kubernetes.io/hostname": nodeName,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": goArch(),
    "beta.kubernetes.io/os": "linux",
    "beta.kubernetes.io/arch": goArch(),
    ...identity?.labels,
  };
  const spec = podCidrs[0] ? { podCIDR: podCidrs[0], podCIDRs: podCidrs } : {};
  try {
    const node = await client.get({ ...nodes, name: nodeName });
    const { metadata } = node;
    const gone = retired(metadata.labels, retiredLabels);
    const isLabelled = holds(metadata.labels, labels) && Object.keys(gone).length === 0;
    const same = isLabelled && holds(metadata.annotations, annotations);
    if (same && (node.spec?.podCIDR || !podCidrs[0])) return node;
    const marks = { labels: { ...gone, ...labels }, annotations };
    const patch = { metadata: marks, ...(!node.spec?.podCIDR && { spec }) };
    return await client.patch({ ...nodes, name: nodeName }, "merge", patch);
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    const metadata = { name: nodeName, labels, annotations };
    const tainted = { ...spec, ...(identity && { taints: identity.taints }) };
    return client.create(nodes, { apiVersion: "v1", kind: "Node", metadata, spec: tainted });
  }
}

interface Seen {
  found: Pressure;
  problems: Condition[];
  outside: string[];
}

/** For the node's status. Pure. */
export const abilityStatus = ({ strictGroups, handlers = new Map() }: RuntimeAbilities) => ({
  features: { supplementalGroupsPolicy: strictGroups },
  ...(handlers.size > 0 && {
    runtimeHandlers: [...handlers].map(([name, features]) => ({ name, features })),
  }),
});

function statusOf(options: NodeOptions, { found, problems, outside }: Seen) {
  const { facts, addresses, nodeName, devices, identity, volumesInUse } = options;
  const brought = devices?.();
  return {
    capacity: { ...facts.capacity, ...brought?.capacity },
    allocatable: { ...facts.allocatable, ...brought?.allocatable },
    nodeInfo: { ...facts.nodeInfo, ...(identity && { architecture: identity.architecture }) },
    addresses: [
      ...addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: nodeName },
      ...outside
        .filter((address) => !addresses.includes(address))
        .map((address) => ({ type: "ExternalIP", address })),
    ],
    ...(volumesInUse && { volumesInUse: volumesInUse() }),
    ...(options.abilities && abilityStatus(options.abilities)),
    daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
    conditions: [...problems, ...nodeConditions(found, options.shortcoming())],
  };
}

async function renewLease({ client, clock, nodeName }: NodeOptions, owner: KubeObject) {
  const spec = {
    holderIdentity: nodeName,
    leaseDurationSeconds: leaseSeconds,
    renewTime: microTimestamp(clock.now()),
  };
  const target = { ...leases, name: nodeName };
  try {
    const lease = await client.get(target);
    await client.update(target, { ...lease, spec: { ...lease.spec, ...spec } });
  } catch (error) {
    if (!isStatus(error, "NotFound")) throw error;
    const { name, uid } = owner.metadata;
    const ownerReferences = [{ apiVersion: "v1", kind: "Node", name, uid }];
    const metadata = { name: nodeName, namespace: leases.namespace, ownerReferences };
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    await client.create(leases, lease);
  }
}

export interface NodeRegistration {
  /** Looks at the machine again now. */
  refresh(): Promise<void>;
}

/** Resolves once the node is registered with its status and lease. */
export async function registerNode(options: NodeOptions): Promise<NodeRegistration> {
  const { client, clock, log, scope, nodeName } = options;
  let node: KubeObject | undefined;
  let conditions: any[] = [];
  let offered: string[] = [];
  const ensure = async () => {
    node = await ensureNode(options);
    offered = offeredBefore(node);
    if (conditions.length === 0) conditions = node.status?.conditions ?? [];
  };
  let written = "";
  let writtenAt = -Infinity;
  const writeStatus = async () => {
    const [found, problems = [], outside = []] = await Promise.all([
      options.pressure(),
      options.problems?.(),
      options.outside?.(),
    ]);
    const status = statusOf(options, { found, problems, outside });
    const text = JSON.stringify(status);
    const due = clock.monotonic() - writtenAt >= statusEveryMs;
    if (text === written && !due && !isContradicted(status.conditions, options.shown())) return;
    const all = timed(status.conditions, conditions, clock.now());
    const target = { ...nodes, name: nodeName, subresource: "status" };
    const capacity = withoutGone(status.capacity, offered);
    const allocatable = withoutGone(status.allocatable, offered);
    const patch = { ...status, capacity, allocatable, conditions: all };
    await client.patch(target, "merge", { status: patch });
    [conditions, written, writtenAt] = [all, text, clock.monotonic()];
    offered = Object.keys(status.capacity);
  };
  // One after the other, so that the last that is written is the last that was true.
  const turn = inTurn();
  const refresh = () => turn(writeStatus);
  const failed = (what: string) => (error: Error) => {
    if (!scope.closed) log.warn(`the node's ${what} was not written`, { error: error.message });
  };
  const renew = async () => {
    if (!node) await ensure();
    await Promise.all([refresh(), renewLease(options, node!).catch(failed("lease"))]);
  };
  await renew().catch((error: unknown) => {
    // A node whose server is away works all the same, and is registered when that is back.
    if (!isStatus(error, "ServiceUnavailable", "Timeout")) throw error;
    failed("object")(error as Error);
  });
  scope.defer(
    clock.every(leaseEveryMs, () => {
      void renew().catch((error: Error) => {
        // Someone deleted the Node: register again.
        if (isStatus(error, "NotFound")) {
          written = "";
          node = undefined;
        } else failed("status")(error);
      });
    }),
  );
  return { refresh };
}
