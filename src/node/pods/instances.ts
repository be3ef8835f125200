// What became of each container of a pod: the runtime's word where it has one, else what the status says it
// was (a power cut may have emptied the runtime, and a run-once container must not run again because of it).
import type { Container, Pod } from "./pod.ts";
import { allContainers } from "./pod.ts";
import type { ContainerStatus, RuntimePod, SandboxStatus } from "../runtime.ts";

export interface Instance extends ContainerStatus {
  /** True when only the API remembers it. */
  remembered?: boolean;
}

export interface Instances {
  /** The sandbox in use: the newest that is ready. */
  sandbox: SandboxStatus | undefined;
  /** Of the newest sandbox, ready or not; -1 without any. */
  attempt: number;
  /** The newest of each container by name. */
  newest: Map<string, Instance>;
  /** The one before the newest. */
  previous: Map<string, Instance>;
}

const lost = "The container could not be located when the pod was terminated";

/** A container as `status.containerStatuses[]` tells of it. */
function remembered(status: any): Instance | undefined {
  const state = status?.state ?? {};
  const told = state.terminated ?? (state.running || status?.containerID ? {} : undefined);
  const last = told ?? status?.lastState?.terminated;
  if (!last || !status.containerID) return undefined;
  const time = (text: string | undefined) => (text ? Date.parse(text) : 0);
  const known = state.terminated ?? (state.waiting ? status.lastState?.terminated : undefined);
  const ended = known ?? {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: lost,
    startedAt: state.running?.startedAt,
  };
  return {
    id: String(status.containerID).replace(/^\w+:\/\//, ""),
    sandboxId: "",
    name: status.name,
    attempt: status.restartCount ?? 0,
    state: "exited",
    createdAt: time(ended.startedAt),
    startedAt: time(ended.startedAt),
    finishedAt: time(ended.finishedAt),
    exitCode: ended.exitCode ?? 0,
    reason: ended.reason ?? "",
    message: ended.message ?? "",
    image: status.image ?? "",
    imageId: status.imageID ?? "",
    labels: {},
    annotations: {},
    logPath: "",
    remembered: true,
  };
}

function statusOf(pod: Pod, { name }: Container) {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    ephemeralContainerStatuses = [],
  } = pod.status ?? {};
  const all = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
  return all.find((one: any) => one.name === name);
}

export function instancesOf(pod: Pod, runtimePod: RuntimePod | undefined): Instances {
  const sandboxes = [...(runtimePod?.sandboxes ?? [])].sort((a, b) => b.attempt - a.attempt);
  const newest = new Map<string, Instance>();
  const previous = new Map<string, Instance>();
  for (const container of allContainers(pod)) {
    const own = (runtimePod?.containers ?? [])
      .filter(({ name }) => name === container.name)
      .sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
    const current = own[0] ?? remembered(statusOf(pod, container));
    if (current) newest.set(container.name, current);
    if (own[1]) previous.set(container.name, own[1]);
  }
  return {
    sandbox: sandboxes.find(({ ready }) => ready),
    attempt: sandboxes[0]?.attempt ?? -1,
    newest,
    previous,
  };
}

export const isRunning = (instance: Instance | undefined) => instance?.state === "running";
/** Something of the pod may be there. */
export const mayRun = ({ sandbox, newest }: Instances) =>
  sandbox !== undefined || [...newest.values()].some(isRunning);
export const hasExited = (instance: Instance | undefined) =>
  instance?.state === "exited" || instance?.state === "unknown";
