// `v1 PodStatus` from what the runtime tells. Pure, and the same for the same input, so that a write happens
// only when something changed.
import { timestamp } from "../../lib/clock.ts";
import { containerStatus } from "./container-status.ts";
import { isRunning } from "./instances.ts";
import type { Instances } from "./instances.ts";
import { isInitialized, mainsBegun, phaseOf } from "./phase.ts";
import type { Phase } from "./phase.ts";
import { isSidecar } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import { resizableContainers, resizeOf, withAllocation } from "../resize/allocation.ts";
import type { ResourceLists } from "../resize/allocation.ts";
import type { PodState } from "./pod-state.ts";
import type { ResourceHealth } from "../devices/ledger.ts";
import { qosClassOf } from "../../lib/qos-class.ts";

export interface StatusInput {
  pod: Pod;
  instances: Instances;
  state: PodState;
  now: number;
  hostIps: string[];
  /** How devices of a container are. */
  deviceHealth?: (container: Container) => ResourceHealth[];
  /** The runtime can make what is below a mount read-only too. */
  canRecursiveReadOnly?: boolean;
}

interface Condition {
  type: string;
  status: "True" | "False";
  reason?: string;
  message?: string;
}

const isTrue = (status: boolean) => (status ? "True" : "False");

const listed = (names: string[]) => `[${names.join(" ")}]`;

/** `containers with unready status: [a b]`, as upstream words it. */
function readiness(type: string, phase: Phase, unready: string[], unknown: string[]): Condition {
  if (phase === "Succeeded") return { type, status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { type, status: "False", reason: "PodFailed" };
  const texts = [];
  if (unknown.length > 0) texts.push(`containers with unknown status: ${listed(unknown)}`);
  if (unready.length > 0) texts.push(`containers with unready status: ${listed(unready)}`);
  if (texts.length === 0) return { type, status: "True" };
  return { type, status: "False", reason: "ContainersNotReady", message: texts.join(", ") };
}

function initialized({ pod, instances, state }: StatusInput, phase: Phase): Condition {
  const type = "Initialized";
  const inits = pod.spec.initContainers ?? [];
  if (phase === "Succeeded") return { type, status: "True", reason: "PodCompleted" };
  const missing = inits.filter((container) => {
    const instance = instances.newest.get(container.name);
    if (!isSidecar(container)) return !isInitialized(instances, container);
    return !(isRunning(instance) && state.probes.get(instance!.id)?.started);
  });
  if (missing.length === 0 || mainsBegun(pod, instances)) return { type, status: "True" };
  const message = `containers with incomplete status: ${listed(missing.map(({ name }) => name))}`;
  return { type, status: "False", reason: "ContainersNotInitialized", message };
}

const customStatus = (pod: Pod, type: string) =>
  pod.status?.conditions?.find((one: Condition) => one.type === type)?.status;

function podReady(pod: Pod, containers: Condition): Condition {
  const type = "Ready";
  if (containers.status === "False") return { ...containers, type };
  const gates: { conditionType: string }[] = pod.spec.readinessGates ?? [];
  const closed = gates
    .map(({ conditionType }) => conditionType)
    .filter((gate) => customStatus(pod, gate) !== "True");
  if (closed.length === 0) return { type, status: "True" };
  const message = closed
    .map((gate) =>
      customStatus(pod, gate) === undefined
        ? `corresponding condition of pod readiness gate "${gate}" does not exist.`
        : `the status of pod readiness gate "${gate}" is not "True", but ${customStatus(pod, gate)}`,
    )
    .join(", ");
  return { type, status: "False", reason: "ReadinessGatesNotReady", message };
}

/** Ours in upstream's order, then those of others; a time moves only with its status. */
function mergeConditions(pod: Pod, own: Condition[], now: number) {
  const before: any[] = pod.status?.conditions ?? [];
  const types = new Set(own.map(({ type }) => type));
  const merged = own.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      old?.status === condition.status ? old.lastTransitionTime : timestamp(now);
    const generation = pod.metadata.generation;
    return {
      ...condition,
      lastProbeTime: null,
      lastTransitionTime,
      ...(generation !== undefined && { observedGeneration: generation }),
    };
  });
  const others = before.filter(({ type }) => !types.has(type) && !passing.has(type));
  return [...merged, ...others];
}

function containersReady(input: StatusInput, phase: Phase): Condition {
  const { pod, instances, state } = input;
  const watched = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const unknown: string[] = [];
  const unready: string[] = [];
  for (const { name } of watched) {
    const instance = instances.newest.get(name);
    if (isRunning(instance) && state.probes.get(instance!.id)?.ready) continue;
    unready.push(name);
  }
  return readiness("ContainersReady", phase, unready, unknown);
}

function addresses({ pod, instances, hostIps }: StatusInput) {
  const own = pod.spec.hostNetwork ? hostIps : (instances.sandbox?.ips ?? []);
  const before: { ip: string }[] = pod.status?.podIPs ?? [];
  const podIPs = own.length > 0 ? own.map((ip) => ({ ip })) : before;
  return {
    hostIP: hostIps[0],
    hostIPs: hostIps.map((ip) => ({ ip })),
    ...(podIPs.length > 0 && { podIP: podIPs[0]!.ip, podIPs }),
  };
}

function disruption(ending: PodState["ending"]): Condition[] {
  if (!ending?.disrupted) return [];
  const { disrupted: reason, message } = ending;
  return [{ type: "DisruptionTarget", status: "True", reason, message }];
}

/** Ours alone, and only while they are true. */
const passing = new Set(["PodResizePending", "PodResizeInProgress"]);

function resizing({ pod, instances, state }: StatusInput): Condition[] {
  const { refusal, error, sizes, given } = state.resize;
  const conditions: Condition[] = [];
  if (refusal) conditions.push({ type: "PodResizePending", status: "True", ...refusal });
  const late =
    given &&
    resizableContainers(withAllocation(pod, given)).some((container) => {
      const instance = instances.newest.get(container.name);
      return isRunning(instance) && resizeOf(container, instance!, sizes) !== undefined;
    });
  if (late) {
    const why = error && { reason: "Error", message: error };
    conditions.push({ type: "PodResizeInProgress", status: "True", ...why });
  }
  return conditions;
}

/** Pods that say what they need as a whole are told what they have as a whole. */
function podLevel({ pod, state }: StatusInput) {
  const given: ResourceLists | undefined = state.resize.given?.pod ?? pod.spec["resources"];
  if (!given) return {};
  return { ...(given.requests && { allocatedResources: given.requests }), resources: given };
}

export function podStatus(input: StatusInput): Record<string, any> {
  const { pod, instances, state, now } = input;
  const running = [...instances.newest.values()].some(isRunning);
  const refused = state.ending && instances.attempt < 0 && instances.newest.size === 0;
  const phase = phaseOf(pod, instances, state.ending !== undefined && !running);
  const ready = containersReady(input, phase);
  const statuses = (containers: Container[], init: boolean) =>
    containers.map((container) => containerStatus(input, container, init));
  const inits = pod.spec.initContainers ?? [];
  const ephemerals = pod.spec.ephemeralContainers ?? [];
  const own: Condition[] = [
    { type: "PodReadyToStartContainers", status: isTrue(instances.sandbox !== undefined) },
    initialized(input, phase),
    podReady(pod, ready),
    ready,
    { type: "PodScheduled", status: "True" },
    ...disruption(state.ending),
    ...resizing(input),
  ];
  const generation = pod.metadata.generation;
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: mergeConditions(pod, own, now),
    ...(state.ending && { reason: state.ending.reason, message: state.ending.message }),
    ...addresses(input),
    startTime: pod.status?.startTime ?? timestamp(now),
    ...(!refused && inits.length > 0 && { initContainerStatuses: statuses(inits, true) }),
    // A pod that was refused has nothing to tell of.
    ...(!refused && { containerStatuses: statuses(pod.spec.containers, false) }),
    ...(ephemerals.length > 0 && {
      ephemeralContainerStatuses: ephemerals.map((one) => ({
        ...containerStatus(input, one, false),
        ready: false,
      })),
    }),
    ...podLevel(input),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod.spec),
  };
}
