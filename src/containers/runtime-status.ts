// From CRI's answers to Kerb's own description of what runs. Pure.
import type {
  ContainerStatus,
  HandlerAbilities,
  ImageConfig,
  ImageStatus,
  RuntimeAbilities,
  RuntimePod,
  SandboxStatus,
} from "../node/runtime.ts";
import type { Message } from "../lib/grpc.ts";

const milliseconds = (nanoseconds: number | undefined) => Math.floor((nanoseconds ?? 0) / 1e6);

const containerStates: Record<string, ContainerStatus["state"]> = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
};

/** `status` is a PodSandboxStatus; of a listed PodSandbox the addresses are missing. */
export function sandboxOf(status: Message): SandboxStatus {
  const { metadata, network, labels = {}, annotations = {} } = status;
  const ips = network?.ip
    ? [network.ip, ...(network.additional_ips ?? []).map((one: Message) => one["ip"])]
    : [];
  return {
    id: status["id"],
    podUid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    attempt: metadata.attempt,
    ready: status["state"] === "SANDBOX_READY",
    createdAt: milliseconds(status["created_at"]),
    ips,
    labels,
    annotations,
  };
}

/** `status` is a ContainerStatus of CRI. */
export function containerOf(status: Message, sandboxId: string): ContainerStatus {
  const { metadata, annotations = {}, labels = {} } = status;
  const state = containerStates[status["state"]] ?? "unknown";
  return {
    id: status["id"],
    sandboxId,
    name: metadata.name,
    attempt: metadata.attempt,
    state,
    createdAt: milliseconds(status["created_at"]),
    startedAt: milliseconds(status["started_at"]),
    finishedAt: milliseconds(status["finished_at"]),
    exitCode: status["exit_code"] ?? 0,
    reason: status["reason"] ?? "",
    message: status["message"] ?? "",
    image: annotations["kerb.dev/image"] ?? status["image"]?.image ?? "",
    imageId: status["image_ref"] ?? "",
    labels,
    annotations,
    logPath: status["log_path"] ?? "",
  };
}

export function imageOf(image: Message): ImageStatus {
  const uid = image["uid"]?.value;
  return {
    id: image["id"],
    tags: image["repo_tags"] ?? [],
    digests: image["repo_digests"] ?? [],
    sizeBytes: image["size"] ?? 0,
    ...(image["pinned"] && { pinned: true }),
    ...(uid !== undefined && { uid }),
    ...(image["username"] && { username: image["username"] }),
  };
}

/** `info` is what CRI's verbose answer adds. */
export function imageConfigOf(image: Message, { imageSpec }: any): ImageConfig {
  const { Entrypoint, Cmd, Env, WorkingDir, User } = imageSpec?.config ?? {};
  return {
    id: image["id"],
    imageId: image["repo_digests"][0] ?? image["id"],
    entrypoint: Entrypoint ?? [],
    cmd: Cmd ?? [],
    env: Env ?? [],
    workingDir: WorkingDir ?? "",
    user: User ?? "",
  };
}

/** Listed sandboxes and containers, by pod. */
export function groupByPod(sandboxes: Message[], containers: Message[]): Map<string, RuntimePod> {
  const pods = new Map<string, RuntimePod>();
  const podOf = new Map<string, RuntimePod>();
  for (const listed of sandboxes) {
    const sandbox = sandboxOf(listed);
    const pod = pods.get(sandbox.podUid) ?? { sandboxes: [], containers: [] };
    pod.sandboxes.push(sandbox);
    pods.set(sandbox.podUid, pod);
    podOf.set(sandbox.id, pod);
  }
  for (const listed of containers) {
    const sandboxId = listed["pod_sandbox_id"];
    podOf.get(sandboxId)?.containers.push(containerOf(listed, sandboxId));
  }
  return pods;
}

/** What the answer to Status says that the runtime can do; an older one says nothing. Pure. */
export function abilitiesOf({ features, runtime_handlers = [] }: any): RuntimeAbilities {
  const handlers = new Map<string, HandlerAbilities>();
  for (const { name, features: can } of runtime_handlers) {
    handlers.set(name, {
      recursiveReadOnlyMounts: can?.recursive_read_only_mounts ?? false,
      userNamespaces: can?.user_namespaces ?? false,
    });
  }
  return { strictGroups: features?.supplemental_groups_policy ?? false, handlers };
}
