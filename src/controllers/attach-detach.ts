// Says which volumes of CSI drivers must be attached to which nodes: those of pods that are placed there. A
// driver's own controller does it, and the node waits for what that one says. Volumes leave a node with the last
// pod that used them, which goes from the API after it has given them back.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { attachmentName } from "../lib/attachment-name.ts";
import { isStatus } from "../lib/status-error.ts";
import { hasFinished } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const pods = resource("v1", "pods");
const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const drivers = resource("storage.k8s.io/v1", "csidrivers");
const attachments = resource("storage.k8s.io/v1", "volumeattachments");

const claimNames = ({ metadata, spec }: KubeObject): string[] =>
  (spec.volumes ?? []).flatMap((volume: any) => {
    if (volume.persistentVolumeClaim) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral ? [`${metadata.name}-${volume.name}`] : [];
  });

export interface AttachInput {
  pods: KubeObject[];
  claim: (namespace: string, name: string) => KubeObject | undefined;
  volume: (name: string) => KubeObject | undefined;
  /** False for drivers whose volumes need not be attached. */
  attaches: (driver: string) => boolean;
}

/** The attachments that must be, by name. Pure. */
export function wantedAttachments({ pods: all, claim, volume, attaches }: AttachInput) {
  const wanted = new Map<string, Draft>();
  for (const pod of all) {
    const { nodeName } = pod.spec;
    if (!nodeName || hasLetGo(pod)) continue;
    for (const name of claimNames(pod)) {
      const found = claim(pod.metadata.namespace!, name);
      const bound = found?.status?.phase === "Bound" ? volume(found.spec.volumeName) : undefined;
      const csi = bound?.spec.csi;
      if (!csi || !attaches(csi.driver)) continue;
      const own = attachmentName(csi.volumeHandle, csi.driver, nodeName);
      wanted.set(own, {
        apiVersion: "storage.k8s.io/v1",
        kind: "VolumeAttachment",
        metadata: { name: own },
        spec: {
          attacher: csi.driver,
          nodeName,
          source: { persistentVolumeName: bound!.metadata.name },
        },
      });
    }
  }
  return wanted;
}

/** One that is being deleted may hold its volumes until it is gone, whatever its containers came to. */
const hasLetGo = (pod: KubeObject) =>
  hasFinished(pod) && pod.metadata.deletionTimestamp === undefined;

const all = "all";
const usesClaims = (pod: KubeObject) => claimNames(pod).length > 0;

async function reconcile({ client, informer }: ControllerContext) {
  const wanted = wantedAttachments({
    pods: informer(pods).list(),
    claim: (namespace, name) => informer(claims).get(name, namespace),
    volume: (name) => informer(volumes).get(name),
    attaches: (driver) => informer(drivers).get(driver)?.spec.attachRequired !== false,
  });
  const known = informer(attachments).list();
  const names = new Set(known.map(({ metadata }) => metadata.name));
  for (const [name, draft] of wanted) {
    if (names.has(name)) continue;
    await client.create(attachments, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
  for (const { metadata, spec } of known) {
    // Those with names of other makers are theirs.
    const isOurs = metadata.name.startsWith("csi-") && spec.source.persistentVolumeName;
    if (!isOurs || wanted.has(metadata.name) || metadata.deletionTimestamp) continue;
    await client.delete({ ...attachments, name: metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

export const attachDetach: Controller = {
  name: "attach-detach",
  inputs: [
    { resource: pods, keys: (pod) => (usesClaims(pod) ? [all] : []) },
    { resource: claims, keys: () => [all] },
    { resource: volumes, keys: ({ spec }) => (spec.csi ? [all] : []) },
    { resource: drivers, keys: () => [all] },
    { resource: attachments, keys: () => [all] },
  ],
  outputs: [attachments],
  workers: 1,
  reconcile: (_, context) => reconcile(context),
};
