// Volumes of CSI drivers: staged once for the node, published for each pod, and given back by the driver itself.
// They lie where drivers that run as pods see them too, below the kubelet's folder.
import { createHash } from "node:crypto";
import { mkdir, rmdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { resource } from "../../client/client.ts";
import { attachmentName } from "../../lib/attachment-name.ts";
import { attachedName } from "../../lib/attached-name.ts";
import { isStatus } from "../../lib/status-error.ts";
import { capabilityOf, secretOf, toldOfPod } from "../csi/requests.ts";
import { inlineSource, refusedMode } from "./csi-source.ts";
import type { CsiSource } from "./csi-source.ts";
import type { Held } from "./held.ts";
import { applyFsGroup } from "./ownership.ts";
import type { ReleaseContext, Volume, VolumeContext, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const csiDrivers = resource("storage.k8s.io/v1", "csidrivers");
const attachments = resource("storage.k8s.io/v1", "volumeattachments");
/** Drivers that ask for it publish a volume anew this often. */
const republishMs = 60_000;

const absent = (error: unknown) => {
  if (isStatus(error, "NotFound")) return undefined;
  throw error;
};

/** What the attachment says to the node, once the volume is attached. */
async function publishContext({ client, facts }: VolumeContext, { handle, driver }: CsiSource) {
  const name = attachmentName(handle, driver, facts.nodeName);
  const attachment = await client.get({ ...attachments, name }).catch(absent);
  if (attachment?.status?.attached === true) return attachment.status.attachmentMetadata ?? {};
  const { message } = attachment?.status?.attachError ?? {};
  throw new VolumeError(`volume ${handle} is not attached yet${message ? `: ${message}` : ""}`);
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
  const policy: string = spec?.fsGroupPolicy ?? "ReadWriteOnceWithFSType";
  const isUsual = source.fsType !== "" && source.accessMode.startsWith("ReadWriteOnce");
  const isOwned = policy === "File" || (policy === "ReadWriteOnceWithFSType" && isUsual);
  if (isOwned && !source.readOnly) await applyFsGroup(path, context.pod);
}

/** Called again, it publishes again and no more: what is staged stays so. */
export async function csiVolume(context: VolumeContext, source: CsiSource): Promise<Volume> {
  const { csi, client, hold, clock } = context;
  const { driver: name, handle: volume_id, isEphemeral, isBlock, readOnly } = source;
  const driver = csi?.find(name);
  if (!driver) {
    throw new VolumeError(`driver name ${name} not found in the list of registered CSI drivers`);
  }
  const spec = (await client.get({ ...csiDrivers, name }).catch(absent))?.spec;
  const why = refusedMode(source, spec);
  if (why) throw new VolumeError(why);
  const isAttached = !isEphemeral && spec?.attachRequired !== false;
  const attached = isAttached && attachedName(name, volume_id);
  const publish_context = isAttached ? await publishContext(context, source) : {};
  const { staging, target } = placesOf(context, source);
  const stagesFirst = !isEphemeral && (await driver.can("stages"));
  const volume_capability = await capabilityOf(context, source, driver);
  const common = { volume_id, publish_context, volume_capability };
  const staged = stagesFirst && { staging };
  if (!context.isAgain) {
    await hold({
      driver: name,
      handle: volume_id,
      target,
      ...staged,
      ...(attached && { attached }),
    });
    if (attached) await csi!.inUse.add(attached);
  }
  if (stagesFirst && !context.isAgain) {
    await mkdir(staging, { recursive: true, mode: 0o750 });
    await driver.call("NodeStageVolume", {
      ...common,
      staging_target_path: staging,
      secrets: await secretOf(context, source.stageSecret),
      volume_context: source.attributes,
    });
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  const told = await toldOfPod(context, spec, isEphemeral);
  await driver.call("NodePublishVolume", {
    ...common,
    ...(stagesFirst && { staging_target_path: staging }),
    target_path: target,
    readonly: readOnly,
    secrets: { ...(await secretOf(context, source.publishSecret)), ...told.secrets },
    volume_context: { ...source.attributes, ...told.context },
  });
  const made: Volume = {
    hostPath: target,
    readOnly,
    driven: { source, target, ...staged },
    ...(spec?.requiresRepublish && { refreshAt: clock.now() + republishMs }),
  };
  if (isBlock) return { ...made, device: target };
  if (!(await driver.can("mountsForGroup"))) await ownFiles(context, source, spec, target);
  return made;
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
  const told = held as Held & Record<string, string>;
  const { driver: name, handle: volume_id, target, staging, attached } = told;
  if (!name || !volume_id || !target) return;
  const driver = csi?.find(name);
  if (!driver) throw new Error(`driver ${name} is not registered, so its volume stays mounted`);
  await driver.call("NodeUnpublishVolume", { volume_id, target_path: target });
  await rm(target, { force: true }).catch(() => {});
  await removeEmpty(target, 5);
  const isShared = await isHeldByOthers(
    (other) => other["driver"] === name && other["handle"] === volume_id,
  );
  if (isShared) return;
  if (staging) {
    await driver.call("NodeUnstageVolume", { volume_id, staging_target_path: staging });
    await removeEmpty(staging, 2);
  }
  if (attached) await csi!.inUse.remove(attached);
}

/** A volume that a pod asks of a driver itself, and that ends with it. */
export const csi: VolumeType = {
  prepare: (context) => csiVolume(context, inlineSource(context)),
  release: releaseCsi,
};
