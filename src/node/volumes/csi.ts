// Volumes of CSI drivers: staged once for the node, published for each pod, and given back by the driver itself.
// They lie where drivers that run as pods see them too, below the kubelet's folder.
import { createHash } from "node:crypto";
import { mkdir, rmdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { attachmentName } from "../../lib/attachment-name.ts";
import { isStatus } from "../../lib/status-error.ts";
import { accessModes } from "../csi/protocol.ts";
import type { Held } from "./held.ts";
import { applyFsGroup } from "./ownership.ts";
import type { ReleaseContext, Volume, VolumeContext, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const csiDrivers = resource("storage.k8s.io/v1", "csidrivers");
const attachments = resource("storage.k8s.io/v1", "volumeattachments");
const secrets = resource("v1", "secrets");

export interface CsiSource {
  driver: string;
  handle: string;
  /** Of the volume's folder. */
  name: string;
  attributes: Record<string, string>;
  fsType: string;
  mountOptions: string[];
  accessMode: string;
  isBlock: boolean;
  readOnly: boolean;
  isEphemeral: boolean;
  stageSecret?: { namespace: string; name: string };
  publishSecret?: { namespace: string; name: string };
}

/** A PersistentVolume as a driver is told of it. Pure. */
export function sourceOf(volume: KubeObject, readOnly: boolean): CsiSource {
  const { csi, accessModes: modes = [], mountOptions = [], volumeMode } = volume.spec;
  const most = ["ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"];
  return {
    driver: csi.driver,
    handle: csi.volumeHandle,
    name: volume.metadata.name,
    attributes: csi.volumeAttributes ?? {},
    fsType: csi.fsType ?? "",
    mountOptions,
    accessMode: most.find((mode) => modes.includes(mode)) ?? "ReadWriteOnce",
    isBlock: volumeMode === "Block",
    readOnly: readOnly || csi.readOnly === true,
    isEphemeral: false,
    ...(csi.nodeStageSecretRef && { stageSecret: csi.nodeStageSecretRef }),
    ...(csi.nodePublishSecretRef && { publishSecret: csi.nodePublishSecretRef }),
  };
}

const absent = (error: unknown) => {
  if (isStatus(error, "NotFound")) return undefined;
  throw error;
};

async function secretOf({ client }: VolumeContext, ref: CsiSource["stageSecret"]) {
  if (!ref) return {};
  const secret = await client.get({ ...secrets, namespace: ref.namespace, name: ref.name });
  const entries = Object.entries<string>(secret["data"] ?? {});
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}

/** What the attachment says to the node, once the volume is attached. */
async function publishContext({ client, facts }: VolumeContext, { handle, driver }: CsiSource) {
  const name = attachmentName(handle, driver, facts.nodeName);
  const attachment = await client.get({ ...attachments, name }).catch(absent);
  if (attachment?.status?.attached === true) return attachment.status.attachmentMetadata ?? {};
  const { message } = attachment?.status?.attachError ?? {};
  throw new VolumeError(`volume ${handle} is not attached yet${message ? `: ${message}` : ""}`);
}

const capabilityOf = ({ isBlock, fsType, mountOptions, accessMode }: CsiSource) => ({
  ...(isBlock ? { block: {} } : { mount: { fs_type: fsType, mount_flags: mountOptions } }),
  access_mode: { mode: accessModes[accessMode] },
});

function podInfo({ pod }: VolumeContext, isEphemeral: boolean): Record<string, string> {
  const prefix = "csi.storage.k8s.io";
  return {
    [`${prefix}/pod.name`]: pod.metadata.name,
    [`${prefix}/pod.namespace`]: pod.metadata.namespace ?? "",
    [`${prefix}/pod.uid`]: pod.metadata.uid,
    [`${prefix}/serviceAccount.name`]: pod.spec["serviceAccountName"] ?? "default",
    [`${prefix}/ephemeral`]: String(isEphemeral),
  };
}

function placesOf({ csi, pod }: VolumeContext, { driver, handle, name, isBlock }: CsiSource) {
  const own = join(csi!.kubeletDirectory, "plugins/kubernetes.io/csi");
  const { uid } = pod.metadata;
  const id = createHash("sha256").update(handle).digest("hex");
  if (isBlock) {
    const devices = join(own, "volumeDevices");
    return { staging: join(devices, "staging", name), target: join(devices, "publish", name, uid) };
  }
  const pods = join(csi!.kubeletDirectory, "pods", uid, "volumes/kubernetes.io~csi");
  return { staging: join(own, driver, id, "globalmount"), target: join(pods, name, "mount") };
}

/** As the driver's fsGroupPolicy says; the default is for volumes that one node writes to. */
async function ownFiles(context: VolumeContext, source: CsiSource, spec: any, path: string) {
  const { fsGroupPolicy: policy = "ReadWriteOnceWithFSType" } = spec;
  const isUsual = source.fsType !== "" && source.accessMode.startsWith("ReadWriteOnce");
  const isOwned = policy === "File" || (policy === "ReadWriteOnceWithFSType" && isUsual);
  if (isOwned && !source.readOnly) await applyFsGroup(path, context.pod);
}

export async function csiVolume(context: VolumeContext, source: CsiSource): Promise<Volume> {
  const { csi, client, hold } = context;
  const { driver: name, handle: volume_id, isEphemeral, isBlock, readOnly } = source;
  const driver = csi?.find(name);
  if (!driver) {
    throw new VolumeError(`driver name ${name} not found in the list of registered CSI drivers`);
  }
  const spec = (await client.get({ ...csiDrivers, name }).catch(absent))?.spec ?? {};
  const isAttached = !isEphemeral && spec.attachRequired !== false;
  const publish_context = isAttached ? await publishContext(context, source) : {};
  const { staging, target } = placesOf(context, source);
  const stagesFirst = !isEphemeral && (await driver.stages());
  const volume_capability = capabilityOf(source);
  const common = { volume_id, publish_context, volume_capability };
  await hold({ driver: name, handle: volume_id, target, ...(stagesFirst && { staging }) });
  if (stagesFirst) {
    await mkdir(staging, { recursive: true, mode: 0o750 });
    await driver.call("NodeStageVolume", {
      ...common,
      staging_target_path: staging,
      secrets: await secretOf(context, source.stageSecret),
      volume_context: source.attributes,
    });
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  await driver.call("NodePublishVolume", {
    ...common,
    ...(stagesFirst && { staging_target_path: staging }),
    target_path: target,
    readonly: readOnly,
    secrets: await secretOf(context, source.publishSecret),
    volume_context: {
      ...source.attributes,
      ...(spec.podInfoOnMount && podInfo(context, isEphemeral)),
    },
  });
  if (isBlock) return { hostPath: target, device: target, readOnly };
  await ownFiles(context, source, spec, target);
  return { hostPath: target, readOnly };
}

/** Never through what is mounted: a folder that is not empty stays. */
async function removeEmpty(path: string, levels: number) {
  let current = path;
  for (let i = 0; i < levels; i++) {
    await rmdir(current).catch(() => {});
    current = dirname(current);
  }
}

/** Nothing to do for what was not of a driver. */
export async function releaseCsi({ csi, isHeldByOthers }: ReleaseContext, held: Held) {
  const {
    driver: name,
    handle: volume_id,
    target,
    staging,
  } = held as Held & Record<string, string>;
  if (!name || !volume_id || !target) return;
  const driver = csi?.find(name);
  if (!driver) throw new Error(`driver ${name} is not registered, so its volume stays mounted`);
  await driver.call("NodeUnpublishVolume", { volume_id, target_path: target });
  await rm(target, { force: true }).catch(() => {});
  await removeEmpty(target, 5);
  if (!staging || (await isHeldByOthers((other) => other["staging"] === staging))) return;
  await driver.call("NodeUnstageVolume", { volume_id, staging_target_path: staging });
  await removeEmpty(staging, 2);
}

/** A volume that a pod asks of a driver itself, and that ends with it. */
export const csi: VolumeType = {
  prepare(context) {
    const { volume, pod } = context;
    const {
      driver,
      readOnly = false,
      fsType = "",
      volumeAttributes = {},
      nodePublishSecretRef,
    } = volume["csi"];
    const id = createHash("sha256").update(`${pod.metadata.uid}/${volume.name}`).digest("hex");
    const namespace = pod.metadata.namespace ?? "";
    return csiVolume(context, {
      driver,
      handle: `csi-${id}`,
      name: volume.name,
      attributes: volumeAttributes,
      fsType,
      mountOptions: [],
      accessMode: "ReadWriteOnce",
      isBlock: false,
      readOnly,
      isEphemeral: true,
      ...(nodePublishSecretRef && {
        publishSecret: { namespace, name: nodePublishSecretRef.name },
      }),
    });
  },
  release: releaseCsi,
};
