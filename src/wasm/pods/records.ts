// What is known of sandboxes and containers: as it lies on the disk, and as the runtime's interface tells of it. Pure.
import { join } from "node:path";
import type { ContainerStatus, RuntimePod, SandboxStatus } from "../../node/runtime.ts";
import type { RunnerKind } from "../../node/process-programs.ts";

/** Enough to end a process that is not our child any more. */
export interface RunnerRecord {
  id: string;
  /** bubblewrap's process, and when it began. */
  pid: number;
  began: string;
  kind: RunnerKind;
}

export interface SandboxRecord {
  id: string;
  /** Of the machine; in another one nothing of it runs. */
  boot: string;
  netns: string;
  ips: string[];
  /** Of its pod; of one that was made before its pod a slot. */
  cgroup: string;
  /** Waits for a first container. */
  spare?: RunnerRecord | undefined;
  /** Absent while no pod has taken it. */
  pod?: {
    podUid: string;
    namespace: string;
    name: string;
    attempt: number;
    createdAt: number;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    /** Whose programs run in it; absent: those of modules. */
    handler?: string;
  };
  ready: boolean;
}

export interface ContainerRecord {
  sandboxId: string;
  runner: RunnerRecord;
  name: string;
  attempt: number;
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  image: string;
  imageId: string;
  /** How the pod's status names it. */
  imageName: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  logPath: string;
  cgroup: string;
  /** What the module's memory may grow to, for as long as it runs; absent: no limit. */
  memoryBytes?: number | undefined;
  /** What its cgroup has beyond that; absent: as modules have it. */
  ownMemoryBytes?: number;
  /** Where something is mounted for it, in the order of mounting. */
  mounts: string[];
}

/** Of one runner, in that of its pod. */
export const runnerCgroup = ({ cgroup }: SandboxRecord, { id }: RunnerRecord) => join(cgroup, id);

const stateOf = ({ startedAt, finishedAt }: ContainerRecord): ContainerStatus["state"] =>
  finishedAt > 0 ? "exited" : startedAt > 0 ? "running" : "created";

export function containerStatus(record: ContainerRecord): ContainerStatus {
  const {
    runner,
    imageName: _,
    cgroup: _group,
    mounts: _mounts,
    memoryBytes: _memory,
    ownMemoryBytes: _own,
    ...told
  } = record;
  return { ...told, id: runner.id, state: stateOf(record), message: "" };
}

export function sandboxStatus({ id, netns, ips, ready, pod }: SandboxRecord): SandboxStatus {
  const { handler: _, ...told } = pod!;
  return { id, ...told, ready, ips, netns };
}

/** By pod. */
export function podsOf(
  sandboxes: Iterable<SandboxRecord>,
  containers: Iterable<ContainerRecord>,
): Map<string, RuntimePod> {
  const pods = new Map<string, RuntimePod>();
  const podOf = new Map<string, RuntimePod>();
  for (const record of sandboxes) {
    if (!record.pod) continue;
    const pod = pods.get(record.pod.podUid) ?? { sandboxes: [], containers: [] };
    pod.sandboxes.push(sandboxStatus(record));
    pods.set(record.pod.podUid, pod);
    podOf.set(record.id, pod);
  }
  for (const record of containers) {
    podOf.get(record.sandboxId)?.containers.push(containerStatus(record));
  }
  return pods;
}

/** How a container ended, by its exit code. */
export const reasonOf = (exitCode: number, ranOut: boolean) =>
  ranOut ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
