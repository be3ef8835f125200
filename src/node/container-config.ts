// A container as the runtime makes it, once its volumes, image and sandbox are there.
import { join } from "node:path";
import { graceAnnotations } from "./grace.ts";
import { expand } from "./expand.ts";
import type { ContainerConfig, ImageStatus, Mount, Resources } from "./runtime.ts";
import { logPath } from "./directories.ts";
import { ConfigError } from "./environment.ts";
import type { Container, Pod, VolumeMount } from "./pod.ts";
import { subPathIn } from "./volumes/sub-path.ts";
import type { Volume } from "./volumes/volume.ts";

export interface ConfigInput {
  pod: Pod;
  container: Container;
  attempt: number;
  imageId: string;
  image: ImageStatus | undefined;
  environment: Map<string, string>;
  volumes: Map<string, Volume>;
  resources: Resources;
  /** Host paths of the files the agent gives. */
  hostsPath: string;
  terminationPath: string;
  targetId?: string | undefined;
}

const propagations: Record<string, Mount["propagation"]> = {
  HostToContainer: "HostToContainer",
  Bidirectional: "Bidirectional",
};

async function volumeMount(input: ConfigInput, mount: VolumeMount): Promise<Mount> {
  const volume = input.volumes.get(mount.name);
  if (!volume) throw new ConfigError(`volume ${JSON.stringify(mount.name)} not found`);
  const { subPathExpr, subPath = "" } = mount;
  const path = subPathExpr
    ? expand(subPathExpr, (name) => {
        const value = input.environment.get(name);
        if (value !== undefined) return value;
        throw new ConfigError(
          `failed to expand subPath for volumeMount ${JSON.stringify(mount.name)}: missing value for ${JSON.stringify(name)}`,
        );
      })
    : subPath;
  return {
    hostPath: path
      ? await subPathIn(volume.hostPath, path, { mayMake: !volume.isReadOnlyInside })
      : volume.hostPath,
    containerPath: mount.mountPath,
    readOnly: (mount.readOnly ?? false) || (volume.readOnly ?? false),
    propagation: propagations[mount.mountPropagation ?? ""] ?? "None",
  };
}

/** The container's security context over the pod's; refuses root where runAsNonRoot forbids it. */
export function mergedSecurity(pod: Pod, container: Container, image: ImageStatus | undefined) {
  const {
    runAsUser,
    runAsGroup,
    runAsNonRoot,
    seLinuxOptions,
    seccompProfile,
    supplementalGroups,
  } = pod.spec["securityContext"] ?? {};
  const { fsGroup } = pod.spec["securityContext"] ?? {};
  const inherited = Object.entries({
    runAsUser,
    runAsGroup,
    runAsNonRoot,
    seLinuxOptions,
    seccompProfile,
  }).filter(([, value]) => value !== undefined);
  const groups = [...(supplementalGroups ?? []), ...(fsGroup === undefined ? [] : [fsGroup])];
  const merged = {
    ...Object.fromEntries(inherited),
    ...container.securityContext,
    ...(groups.length > 0 && { supplementalGroups: groups }),
  };
  if (merged.runAsNonRoot) {
    const uid = merged.runAsUser ?? image?.uid ?? (image?.username ? undefined : 0);
    if (uid === 0) {
      const why =
        merged.runAsUser === 0
          ? "container's runAsUser breaks non-root policy"
          : "container has runAsNonRoot and image will run as root";
      throw new ConfigError(why);
    }
    if (uid === undefined) {
      throw new ConfigError(
        `container has runAsNonRoot and image has non-numeric user (${image!.username}), cannot verify user is non-root`,
      );
    }
  }
  return merged;
}

export async function containerConfig(input: ConfigInput): Promise<ContainerConfig> {
  const { pod, container, attempt, environment } = input;
  const mounts: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) mounts.push(await volumeMount(input, mount));
  if (container.volumeDevices?.length) {
    throw new ConfigError(`container ${container.name}: volumeDevices is not supported`);
  }
  const give = (hostPath: string, containerPath: string) => {
    const taken = mounts.some((one) => one.containerPath === containerPath);
    if (!taken) mounts.push({ hostPath, containerPath, readOnly: false, propagation: "None" });
  };
  give(input.hostsPath, "/etc/hosts");
  give(input.terminationPath, container.terminationMessagePath ?? "/dev/termination-log");
  const words = (list: string[] = []) =>
    list.map((word) => expand(word, (name) => environment.get(name)));
  return {
    name: container.name,
    attempt,
    image: input.imageId,
    imageRef: container.image,
    command: words(container.command),
    args: words(container.args),
    workingDir: container.workingDir ?? "",
    env: [...environment].map(([name, value]) => ({ name, value })),
    mounts,
    devices: [],
    labels: {},
    annotations: graceAnnotations(pod.spec.terminationGracePeriodSeconds),
    logPath: logPath(container.name, attempt),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    resources: input.resources,
    ...(input.targetId && { targetId: input.targetId }),
    securityContext: mergedSecurity(pod, container, input.image),
  };
}

/** One file per start of a container. */
export const terminationPathIn = (directory: string, container: string, attempt: number) =>
  join(directory, "containers", container, `${attempt}.termination`);
