// The local volumes that lie on this node: one is removed with all that is in it when its volume goes, and one
// that is a file grows when its volume does. A node of the site's own machine follows all volumes;
// another may read those that lie with it, by name, and looks at them every so often.
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import type { Log } from "../../lib/log.ts";
import { amountOf } from "../../lib/pod-requests.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { sizeOf } from "../../lib/volume-match.ts";
import { WorkQueue } from "../../lib/work-queue.ts";
import type { Mounts } from "../machine/mounts.ts";
import { growFile } from "./block.ts";
import { growMounted, mountedAt } from "./sized.ts";

const volumes = resource("v1", "persistentvolumes");
const claims = resource("v1", "persistentvolumeclaims");
const lookAgainMs = 10_000;

export interface LocalVolumeOptions {
  client: Client;
  /** Absent where the node may not read all volumes. */
  informers?: Informers | undefined;
  clock: Clock;
  log: Log;
  scope: Scope;
  mounts: Pick<Mounts, "loops" | "unmountBelow">;
  /** The folder in which this node's volumes lie. */
  directory: string;
}

const isOurs = ({ metadata, spec }: KubeObject, directory: string) =>
  metadata.finalizers?.includes(localVolumes.finalizer) === true &&
  typeof spec.local?.path === "string" &&
  dirname(spec.local.path) === directory;

/** True for a volume that is to go and whose folder is one of ours. Pure. */
export const isToRemove = (volume: KubeObject, directory: string): boolean =>
  volume.metadata.deletionTimestamp !== undefined && isOurs(volume, directory);

/** True for one that is a file of its size; a folder has none. Pure. */
export const hasOwnSize = ({ spec }: KubeObject) =>
  spec.volumeMode === "Block" || spec.local?.fsType !== undefined;

/** The volume whose folder has this name. */
const volumeNameOf = (folder: string) => folder.slice(0, folder.indexOf("_"));

async function remove(options: LocalVolumeOptions, { metadata, spec }: KubeObject) {
  const { client, mounts } = options;
  const { name, resourceVersion, finalizers = [] } = metadata;
  const { path } = spec.local;
  const mounted = mountedAt(path);
  await mounts.loops.inTurn(async () => {
    await mounts.unmountBelow(mounted);
    await mounts.loops.detach(path);
  });
  for (const one of [mounted, path]) await rm(one, { recursive: true, force: true });
  const left = finalizers.filter((one) => one !== localVolumes.finalizer);
  const patch = { metadata: { resourceVersion, finalizers: left } };
  await client.patch({ ...volumes, name }, "merge", patch);
}

function growContent({ mounts }: LocalVolumeOptions, { spec }: KubeObject, bytes: number) {
  const { loops } = mounts;
  const { path, fsType } = spec.local;
  return loops.inTurn(async () => {
    if (fsType) await growMounted(mounts, { path, bytes });
    else if (await growFile(path, bytes)) await loops.resize(path);
  });
}

/** Makes the volume's file as large as the volume, unless it is still to be made, and tells the claim. */
async function grow(options: LocalVolumeOptions, volume: KubeObject) {
  const { client } = options;
  const { local, claimRef, capacity } = volume.spec;
  if (existsSync(local.path)) await growContent(options, volume, sizeOf(volume));
  if (!claimRef?.uid) return;
  const target = { ...claims, namespace: claimRef.namespace, name: claimRef.name };
  const claim = await client.get(target);
  const known = amountOf("storage", claim.status?.capacity?.storage ?? "0");
  if (claim.metadata.uid !== claimRef.uid || known >= sizeOf(volume)) return;
  const status = { capacity: { storage: capacity.storage }, conditions: null };
  await client.patch({ ...target, subresource: "status" }, "merge", { status });
}

async function keep(options: LocalVolumeOptions, volume: KubeObject | undefined) {
  if (!volume || !isOurs(volume, options.directory)) return;
  try {
    if (isToRemove(volume, options.directory)) await remove(options, volume);
    else if (hasOwnSize(volume)) await grow(options, volume);
  } catch (error) {
    if (!isStatus(error, "NotFound", "Conflict", "Forbidden")) throw error;
  }
}

export function startLocalVolumes(options: LocalVolumeOptions) {
  const { client, informers, clock, log, scope, directory } = options;
  const informer = informers?.get({ resource: volumes });
  const find = async (name: string) => {
    if (informer) return informer.get(name);
    return client.get({ ...volumes, name }).catch((error: unknown) => {
      // Another's, or a server that is away.
      if (isStatus(error, "NotFound", "Forbidden", "ServiceUnavailable")) return undefined;
      throw error;
    });
  };
  const queue = new WorkQueue({
    clock,
    workers: 1,
    work: async (name) => keep(options, await find(name)),
    onError: (name, error) =>
      log.warn("a local volume was not kept", { volume: name, error: String(error) }),
  });
  scope.defer(() => queue.stop());
  if (informer) {
    const seen = (volume: KubeObject) => {
      if (isOurs(volume, directory)) queue.add(volume.metadata.name);
    };
    scope.defer(informer.subscribe({ onAdd: seen, onUpdate: seen }));
    return;
  }
  const look = async () => {
    const folders = await readdir(directory).catch((): string[] => []);
    for (const name of folders.map(volumeNameOf)) if (name) queue.add(name);
  };
  scope.defer(clock.every(lookAgainMs, () => void look()));
  void look();
}
