// The plug for what runs without containerd, as a process that waited for its container (wasm/pods): modules, and the
// programs that fill disks. Whoever plugs in says which pods are its, whose their processes are, and what they are told
// and shown.
import type { ContainerConfig, SandboxConfig } from "./runtime.ts";

export interface RunnerUser {
  uid: number;
  gid: number;
  groups: number[];
}

/** Of processes that wait those are alike that wait for the same. */
export interface RunnerKind extends RunnerUser {
  /** What waits; absent: for a module. */
  program?: "disk";
  /** Whether it may have sockets. */
  network: boolean;
}

export interface ProcessPlan {
  kind: RunnerKind;
  /** The image's, as the pod's status has it. */
  imageName: string;
  /** What the one that waits is told, as JSON. */
  program: object;
  /** Files that it is shown, by their names there. */
  files: { source: string; name: string }[];
  /** Folders and files of volumes, by their paths in the container; what holds others comes first. */
  volumes: { source: string; path: string; readOnly: boolean }[];
  /** What the program keeps to itself; the cgroup has more room, and it stays as long as the container. */
  memoryBytes?: number | undefined;
  /** So much more. */
  ownMemoryBytes: number;
}

export interface ProcessPrograms {
  /** By what a pod asks for. */
  suits(config: SandboxConfig): boolean;
  /** What a pod like this one was lately. */
  likelyKind(config: SandboxConfig): RunnerKind | undefined;
  /** Of the pod's first container; undefined where the pod is run otherwise. */
  kind(config: SandboxConfig): Promise<RunnerKind | undefined>;
  /** Whether images are not there on which it depends what the pod is. */
  lackImages(config: SandboxConfig): Promise<boolean>;
  /** Rejects in words for the container's status. */
  plan(config: ContainerConfig, sandbox: SandboxConfig): Promise<ProcessPlan>;
}
