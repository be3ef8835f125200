// Says which volumes of CSI drivers must be attached to which nodes: those of pods that are placed there. A
// driver's own controller does it, and the node waits for what that one says. A volume leaves a node after the
// last pod that used it, and once the node says that it is mounted no more; of a node that is lost, after a while.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { attachedName } from "../lib/attached-name.ts";
import { attachmentName } from "../lib/attachment-name.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { hasFinished } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const pods = resource("v1", "pods");
const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const drivers = resource("storage.k8s.io/v1", "csidrivers");
const attachments = resource("storage.k8s.io/v1", "volumeattachments");
const nodes = resource("v1", "nodes");
/** What a lost node holds is taken from it after so long. */
const unmountMsMax = 360_000;
const outOfService = "node.kubernetes.io/out-of-service";

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

export interface Wanted {
  draft: Draft;
  /** The first that needs it. */
  pod: KubeObject;
  /** It may be attached to several nodes at once. */
  isShared: boolean;
}

const manyNodes = new Set(["ReadWriteMany", "ReadOnlyMany"]);

/** The attachments that must be, by name. Pure. */
export function wantedAttachments({ pods: all, claim, volume, attaches }: AttachInput) {
  const wanted = new Map<string, Wanted>();
  for (const pod of all) {
    const { nodeName } = pod.spec;
    if (!nodeName || hasLetGo(pod)) continue;
    for (const name of claimNames(pod)) {
      const found = claim(pod.metadata.namespace!, name);
      const bound = found?.status?.phase === "Bound" ? volume(found.spec.volumeName) : undefined;
      const csi = bound?.spec.csi;
      if (!csi || !attaches(csi.driver)) continue;
      const own = attachmentName(csi.volumeHandle, csi.driver, nodeName);
      if (wanted.has(own)) continue;
      const source = { persistentVolumeName: bound!.metadata.name };
      const modes: string[] = bound!.spec.accessModes ?? [];
      wanted.set(own, {
        pod,
        isShared: modes.length === 0 || modes.some((mode) => manyNodes.has(mode)),
        draft: {
          apiVersion: "storage.k8s.io/v1",
          kind: "VolumeAttachment",
          metadata: { name: own },
          spec: { attacher: csi.driver, nodeName, source },
        },
      });
    }
  }
  return wanted;
}

/** One that is being deleted may hold its volumes until it is gone, whatever its containers came to. */
const hasLetGo = (pod: KubeObject) =>
  hasFinished(pod) && pod.metadata.deletionTimestamp === undefined;

/**
 * How long the volume must stay yet, in milliseconds: `Infinity` while the node lives and uses it. Pure.
 */
export function staysMs(node: KubeObject | undefined, volume: string, now: number): number {
  if (!node?.status?.volumesInUse?.includes(volume)) return 0;
  const taints: { key: string }[] = node.spec?.taints ?? [];
  if (taints.some(({ key }) => key === outOfService)) return 0;
  const ready = node.status.conditions?.find(({ type }: any) => type === "Ready");
  if (ready?.status === "True") return Infinity;
  return Math.max(Date.parse(ready?.lastTransitionTime ?? 0) + unmountMsMax - now, 0);
}

/** What of a node's status the attachments say. Pure. */
export const volumesAttached = (names: string[]) =>
  [...names].sort().map((name) => ({ name, devicePath: "" }));

const all = "all";
const usesClaims = (pod: KubeObject) => claimNames(pod).length > 0;

type Context = ControllerContext;

/** The volume in a node's words; undefined for one that is no driver's. */
function attachedVolume({ spec }: KubeObject, { informer }: Context): string | undefined {
  const csi = informer(volumes).get(spec.source.persistentVolumeName ?? "")?.spec.csi;
  return csi && attachedName(csi.driver, csi.volumeHandle);
}

/** Those that can be made now: a volume for one node alone waits until it has left another. Pure. */
export function attachable(
  wanted: Map<string, Wanted>,
  known: Pick<KubeObject, "metadata" | "spec">[],
) {
  const names = new Set(known.map(({ metadata }) => metadata.name));
  const taken = new Set(known.map(({ spec }) => spec.source.persistentVolumeName));
  const now: Wanted[] = [];
  const later: Wanted[] = [];
  for (const [name, one] of wanted) {
    if (names.has(name)) continue;
    const volume = one.draft["spec"].source.persistentVolumeName;
    (one.isShared || !taken.has(volume) ? now : later).push(one);
    taken.add(volume);
  }
  return { now, later };
}

async function attach(wanted: Map<string, Wanted>, { client, informer, event }: Context) {
  const { now, later } = attachable(wanted, informer(attachments).list());
  for (const { draft } of now) {
    await client.create(attachments, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
  for (const { pod, draft } of later) {
    const volume = draft["spec"].source.persistentVolumeName;
    const text = `Multi-Attach error for volume "${volume}" Volume is already used by pod(s) on another node`;
    event(pod, "Warning", "FailedAttachVolume", text);
  }
}

async function detach(wanted: Map<string, Wanted>, context: Context) {
  const { client, informer, clock, wakeAfter } = context;
  for (const attachment of informer(attachments).list()) {
    const { metadata, spec } = attachment;
    // Those with names of other makers are theirs.
    const isOurs = metadata.name.startsWith("csi-") && spec.source.persistentVolumeName;
    if (!isOurs || wanted.has(metadata.name) || metadata.deletionTimestamp) continue;
    const volume = attachedVolume(attachment, context) ?? "";
    const ms = staysMs(informer(nodes).get(spec.nodeName), volume, clock.now());
    if (ms > 0) {
      if (Number.isFinite(ms)) wakeAfter(all, ms);
      continue;
    }
    await client.delete({ ...attachments, name: metadata.name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

/** Writes on each node what is attached to it. */
async function tellNodes(context: Context) {
  const { client, informer } = context;
  const known = Map.groupBy(
    informer(attachments)
      .list()
      .filter(({ status }) => status?.attached === true),
    ({ spec }) => spec.nodeName as string,
  );
  for (const { metadata, status } of informer(nodes).list()) {
    const attached = known.get(metadata.name) ?? [];
    const names = attached.flatMap((one) => attachedVolume(one, context) ?? []);
    const told = volumesAttached(names);
    if (jsonEqual(status?.volumesAttached ?? [], told)) continue;
    const target = { ...nodes, name: metadata.name, subresource: "status" };
    const patch = { status: { volumesAttached: told.length > 0 ? told : null } };
    await client.patch(target, "merge", patch).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

async function reconcile(context: Context) {
  const { informer } = context;
  const wanted = wantedAttachments({
    pods: informer(pods).list(),
    claim: (namespace, name) => informer(claims).get(name, namespace),
    volume: (name) => informer(volumes).get(name),
    attaches: (driver) => informer(drivers).get(driver)?.spec.attachRequired !== false,
  });
  await attach(wanted, context);
  await detach(wanted, context);
  await tellNodes(context);
}

/** What a node says of its volumes, its readiness and taints. */
const seenOf = ({ spec, status }: KubeObject) => {
  const ready = status?.conditions?.find(({ type }: any) => type === "Ready");
  return [status?.volumesInUse, status?.volumesAttached, ready?.status, spec?.taints];
};

export const attachDetach: Controller = {
  name: "attach-detach",
  inputs: [
    { resource: pods, keys: (pod) => (usesClaims(pod) ? [all] : []) },
    { resource: claims, keys: () => [all] },
    { resource: volumes, keys: ({ spec }) => (spec.csi ? [all] : []) },
    { resource: drivers, keys: () => [all] },
    { resource: attachments, keys: () => [all] },
    {
      resource: nodes,
      keys: (node, _, before) =>
        before && JSON.stringify(seenOf(before)) === JSON.stringify(seenOf(node)) ? [] : [all],
    },
  ],
  outputs: [attachments, { ...nodes, resource: "nodes/status" }],
  workers: 1,
  reconcile: (_, context) => reconcile(context),
};
