// `v1 ContainerStatus` of one container. Pure.
import { timestamp } from "../../lib/clock.ts";
import type { ResourceHealth } from "../devices/ledger.ts";
import { hasExited, isRunning } from "./instances.ts";
import type { Instance, Instances } from "./instances.ts";
import { isSidecar, podText } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import { phaseOf, willRestart } from "./phase.ts";
import { sizedAs } from "../resize/allocation.ts";
import { crashedUntil, podTrouble } from "./pod-state.ts";
import { volumeMountStatus } from "./recursive-read-only.ts";
import type { PodState } from "./pod-state.ts";

interface Input {
  pod: Pod;
  instances: Instances;
  state: PodState;
  now: number;
  deviceHealth?: (container: Container) => ResourceHealth[];
  /** The runtime can make what is below a mount read-only too. */
  canRecursiveReadOnly?: boolean;
}

/** `10s`, `1m20s`, as Go prints a duration. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

const idOf = (instance: Instance) => `containerd://${instance.id}`;

export function terminated(instance: Instance, message = "") {
  const text = message || instance.message;
  return {
    exitCode: instance.exitCode,
    reason: instance.reason || (instance.exitCode === 0 ? "Completed" : "Error"),
    ...(text && { message: text }),
    startedAt: instance.startedAt ? timestamp(instance.startedAt) : null,
    finishedAt: instance.finishedAt ? timestamp(instance.finishedAt) : null,
    containerID: idOf(instance),
  };
}

function restarts({ pod, instances, state }: Input, container: Container, init: boolean) {
  if (pod.metadata.deletionTimestamp || state.ending || state.gone) return false;
  const phase = phaseOf(pod, instances);
  if (phase === "Succeeded" || phase === "Failed") return false;
  const { exitCode } = instances.newest.get(container.name)!;
  if (!init) return willRestart(pod, container, exitCode);
  return isSidecar(container) || (exitCode !== 0 && pod.spec.restartPolicy !== "Never");
}

/** Why an exited container that will run again does not run now. */
function waitingAgain(input: Input, instance: Instance) {
  const { pod, state, now } = input;
  const trouble = state.trouble.get(instance.name);
  if (trouble) return { reason: trouble.reason, message: trouble.message };
  const crashed = crashedUntil(state, instance, now);
  if (!crashed) return undefined;
  const { delayMs } = crashed;
  const what = `container=${instance.name} pod=${podText(pod)}`;
  return {
    reason: "CrashLoopBackOff",
    message: `back-off ${durationText(delayMs)} restarting failed ${what}`,
  };
}

function waitingFirst({ pod, state, instances }: Input, name: string) {
  const trouble = state.trouble.get(name);
  if (trouble) return { reason: trouble.reason, message: trouble.message };
  const held = (pod.spec.initContainers ?? []).length > 0;
  const begun = pod.spec.containers.some((one) => instances.newest.has(one.name));
  // What keeps the whole pod back (a volume, its network) is told by each container.
  const { volumes, sandbox } = podTrouble;
  const { message } = state.trouble.get(volumes) ?? state.trouble.get(sandbox) ?? {};
  const reason = held && !begun ? "PodInitializing" : "ContainerCreating";
  return { reason, ...(message && { message }) };
}

function stateOf(input: Input, container: Container, init: boolean) {
  const instance = input.instances.newest.get(container.name);
  if (!instance || instance.state === "created") {
    return { waiting: waitingFirst(input, container.name) };
  }
  if (isRunning(instance)) return { running: { startedAt: timestamp(instance.startedAt) } };
  const waiting = restarts(input, container, init) && waitingAgain(input, instance);
  if (waiting) return { waiting };
  return { terminated: terminated(instance, input.state.messages.get(instance.id)) };
}

/** What ended before what `state` shows. */
function lastStateOf(input: Input, name: string, waiting: boolean) {
  const { instances, state, pod } = input;
  const newest = instances.newest.get(name);
  const ended = waiting && hasExited(newest) ? newest : instances.previous.get(name);
  if (ended && hasExited(ended)) {
    return { terminated: terminated(ended, state.messages.get(ended.id)) };
  }
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const before = [...initContainerStatuses, ...containerStatuses].find((one) => one.name === name);
  if (!newest || !before) return before?.lastState ?? {};
  if (before.containerID === idOf(newest)) return before.lastState ?? {};
  return before.state?.terminated ? { terminated: before.state.terminated } : {};
}

const filled = (list: Record<string, string> | undefined) =>
  list && Object.keys(list).length > 0 ? list : undefined;

/** What the container was granted, and what is in force. */
function sizeOf({ state }: Input, { name, resources }: Container, instance: Instance | undefined) {
  const given = state.resize.given?.containers[name] ?? resources;
  const current = isRunning(instance)
    ? (state.resize.sizes.get(instance!.id) ?? sizedAs(instance!) ?? given)
    : given;
  const allocated = filled(given?.requests);
  const requests = filled(current?.requests);
  const limits = filled(current?.limits);
  return {
    ...(allocated && { allocatedResources: allocated }),
    ...((requests ?? limits) && {
      resources: { ...(limits && { limits }), ...(requests && { requests }) },
    }),
  };
}

export function containerStatus(input: Input, container: Container, init: boolean) {
  const { name, image } = container;
  const { instances, state: podState } = input;
  const instance = instances.newest.get(name);
  const probes = instance && podState.probes.get(instance.id);
  const state = stateOf(input, container, init);
  const running = isRunning(instance);
  const regularInit = init && !isSidecar(container);
  const done = hasExited(instance) && instance!.exitCode === 0;
  const mounts = (container.volumeMounts ?? []).map((one) =>
    volumeMountStatus(one, input.canRecursiveReadOnly ?? false),
  );
  const health = input.deviceHealth?.(container) ?? [];
  return {
    name,
    state,
    lastState: lastStateOf(input, name, "waiting" in state),
    ready: regularInit ? done : running && (probes?.ready ?? false),
    restartCount: instance?.attempt ?? 0,
    image: instance?.image || image,
    imageID: instance?.imageId ?? "",
    ...(instance && { containerID: idOf(instance) }),
    ...sizeOf(input, container, instance),
    ...(mounts.length > 0 && { volumeMounts: mounts }),
    ...(health.length > 0 && { allocatedResourcesStatus: health }),
    ...(running &&
      container.lifecycle?.stopSignal && { stopSignal: container.lifecycle.stopSignal }),
    started: regularInit ? running : running && (probes?.started ?? false),
  };
}
