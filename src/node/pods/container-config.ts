// A container as the runtime makes it, once its volumes, image and sandbox are there.
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { graceAnnotations } from "./grace.ts";
import { expand } from "./expand.ts";
import type { ContainerConfig, ImageStatus, Mount, Resources } from "../runtime.ts";
import { logPath } from "../directories.ts";
import { ConfigError } from "./config-error.ts";
import type { Container, Pod, VolumeMount } from "./pod.ts";
import { isRecursiveReadOnly } from "./recursive-read-only.ts";
import { sizedAnnotation } from "../resize/allocation.ts";
import { openSubPath } from "../volumes/sub-path.ts";
import type { Volume } from "../volumes/volume.ts";

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
  /** The runtime can make what is below a mount read-only too. */
  canRecursiveReadOnly: boolean;
  /** Shows an open place of a volume; `name` is one of the container's own. */
  bindOpen: (name: string, place: FileHandle) => Promise<string>;
}

const propagations: Record<string, Mount["propagation"]> = {
  HostToContainer: "HostToContainer",
  Bidirectional: "Bidirectional",
};

async function boundSubPath(input: ConfigInput, volume: Volume, path: string, index: number) {
  const place = await openSubPath(volume.hostPath, path, { mayMake: !volume.isReadOnlyInside });
  try {
    return await input.bindOpen(`${input.container.name}/${index}`, place);
  } finally {
    await place.close();
  }
}

async function volumeMount(input: ConfigInput, mount: VolumeMount, index: number): Promise<Mount> {
  const volume = input.volumes.get(mount.name);
  if (!volume) throw new ConfigError(`volume ${JSON.stringify(mount.name)} not found`);
  if (volume.device) {
    throw new ConfigError(`volume ${JSON.stringify(mount.name)} has volumeMode Block`);
  }
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
  const recursiveReadOnly = isRecursiveReadOnly(mount, input.canRecursiveReadOnly);
  return {
    hostPath: path ? await boundSubPath(input, volume, path, index) : volume.hostPath,
    containerPath: mount.mountPath,
    readOnly: (mount.readOnly ?? false) || (volume.readOnly ?? false),
    ...(recursiveReadOnly && { recursiveReadOnly }),
    propagation: propagations[mount.mountPropagation ?? ""] ?? "None",
  };
}

function devicesOf({ container, volumes }: ConfigInput): ContainerConfig["devices"] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const { device, readOnly } = volumes.get(name) ?? {};
    if (!device) throw new ConfigError(`volume ${JSON.stringify(name)} is no block device`);
    return {
      hostPath: device,
      containerPath: devicePath,
      permissions: readOnly ? "r" : "mrw",
    };
  });
}

/** The container's security context over the pod's; refuses root where runAsNonRoot forbids it. */
export function mergedSecurity(pod: Pod, container: Container, image: ImageStatus | undefined) {
  const {
    runAsUser,
    runAsGroup,
    runAsNonRoot,
    seLinuxOptions,
    seccompProfile,
    appArmorProfile,
    supplementalGroups,
  } = pod.spec["securityContext"] ?? {};
  const { fsGroup } = pod.spec["securityContext"] ?? {};
  const inherited = Object.entries({
    runAsUser,
    runAsGroup,
    runAsNonRoot,
    seLinuxOptions,
    seccompProfile,
    appArmorProfile,
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
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    mounts.push(await volumeMount(input, mount, i));
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
    devices: devicesOf(input),
    labels: {},
    annotations: {
      ...graceAnnotations(pod.spec, container),
      ...sizedAnnotation(container),
    },
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
