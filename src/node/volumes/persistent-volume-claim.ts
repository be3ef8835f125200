// A claim that is bound to a volume this node can show: a path of its own, as files or as a block device.
import { existsSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { controllerOf } from "../../kinds/object.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import { replicatedVolumes } from "../../lib/replicated-volumes.ts";
import { isStatus } from "../../lib/status-error.ts";
import { sizeOf } from "../../lib/volume-match.ts";
import { blockVolume, releaseLoop } from "./block.ts";
import { csiVolume, releaseCsi } from "./csi.ts";
import { sourceOf } from "./csi-source.ts";
import type { Held } from "./held.ts";
import { hostPathVolume } from "./host-path.ts";
import { applyFsGroup } from "./ownership.ts";
import { sizedVolume } from "./sized.ts";
import type { ReleaseContext, Volume, VolumeContext, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const provisionedBy = "pv.kubernetes.io/provisioned-by";
const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");

/** Any user of any pod may write into the folder of a volume, whatever its own umask says. */
async function makeLocal(path: string) {
  if (existsSync(path)) return;
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o777);
}

interface ClaimSource {
  claimName: string;
  readOnly: boolean;
  /** The pod that the claim must have been made for. */
  ownerUid?: string;
}

async function boundVolume(
  { pod, client }: VolumeContext,
  { claimName: name, ownerUid }: ClaimSource,
): Promise<KubeObject> {
  const { namespace } = pod.metadata;
  const claim = await client.get({ ...claims, namespace, name }).catch((error) => {
    if (!isStatus(error, "NotFound")) throw error;
    throw new VolumeError(`persistentvolumeclaim "${name}" not found`);
  });
  if (ownerUid !== undefined && controllerOf(claim)?.uid !== ownerUid) {
    throw new VolumeError(`PVC ${namespace}/${name} was not created for pod ${pod.metadata.name}`);
  }
  if (claim.status?.phase !== "Bound" || !claim.spec.volumeName) {
    throw new VolumeError(`PVC ${namespace}/${name} is not bound`);
  }
  return client.get({ ...volumes, name: claim.spec.volumeName });
}

/** This node's own copy of a replicated volume. */
function copyPath({ pod, localVolumes: directory }: VolumeContext, { metadata }: KubeObject) {
  if (pod.spec["runtimeClassName"] === replicatedVolumes.runtimeClass) {
    return join(directory, metadata.name);
  }
  throw new VolumeError(
    `persistent volume ${metadata.name} is replicated, and only virtual machines may use it`,
  );
}

/** The path of a volume of this node. */
async function pathVolume(context: VolumeContext, volume: KubeObject, readOnly: boolean) {
  const { metadata, spec } = volume;
  const isCopy = metadata.annotations?.[provisionedBy] === replicatedVolumes.provisioner;
  const path: string = isCopy
    ? copyPath(context, volume)
    : (spec.hostPath?.path ?? spec.local?.path);
  const isOurs = metadata.finalizers?.includes(localVolumes.finalizer) ?? false;
  if (spec.volumeMode === "Block") {
    if (isOurs) await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return blockVolume(context, { path, readOnly, ...(isOurs && { bytes: sizeOf(volume) }) });
  }
  if (isOurs && spec.local.fsType) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const hostPath = await sizedVolume(context, { path, bytes: sizeOf(volume) });
    await applyFsGroup(hostPath, context.pod);
    return { hostPath, readOnly };
  }
  if (isOurs || isCopy) await makeLocal(path);
  else if (spec.local && !existsSync(path)) throw new VolumeError(`path "${path}" does not exist`);
  const made = await hostPathVolume(path, spec.hostPath?.type ?? "");
  await applyFsGroup(path, context.pod);
  return { ...made, readOnly };
}

export async function prepareClaim(context: VolumeContext, source: ClaimSource): Promise<Volume> {
  const volume = await boundVolume(context, source);
  return { ...(await shownVolume(context, volume, source.readOnly)), claimName: source.claimName };
}

function shownVolume(context: VolumeContext, volume: KubeObject, readOnly: boolean) {
  const { spec, metadata } = volume;
  if (spec.csi) return csiVolume(context, sourceOf(volume, readOnly));
  if (spec.hostPath ?? spec.local) return pathVolume(context, volume, readOnly);
  const type = Object.keys(spec).find((key) => spec[key]?.driver ?? spec[key]?.server) ?? "";
  throw new VolumeError(
    `persistent volume ${metadata.name} has a type that is not supported: ${type}`,
  );
}

/** Held is a device or a place with a driver; each knows its own. */
export async function releaseClaim(context: ReleaseContext, held: Held) {
  await releaseLoop(context, held);
  await releaseCsi(context, held);
}

export const persistentVolumeClaim: VolumeType = {
  prepare: (context) => {
    const { claimName, readOnly = false } = context.volume["persistentVolumeClaim"];
    return prepareClaim(context, { claimName, readOnly });
  },
  release: releaseClaim,
};
