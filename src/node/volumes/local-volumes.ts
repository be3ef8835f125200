// The folders of local volumes on this node: one is removed with all that is in it when its volume goes.
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { WorkQueue } from "../../lib/work-queue.ts";

const volumes = resource("v1", "persistentvolumes");

export interface LocalVolumeOptions {
  client: Client;
  informers: Informers;
  clock: Clock;
  log: Log;
  scope: Scope;
  /** The folder in which this node's volumes lie. */
  directory: string;
}

/** True for a volume that is to go and whose folder is one of ours. Pure. */
export function isToRemove({ metadata, spec }: KubeObject, directory: string): boolean {
  if (!metadata.deletionTimestamp || !metadata.finalizers?.includes(localVolumes.finalizer))
    return false;
  return typeof spec.local?.path === "string" && dirname(spec.local.path) === directory;
}

async function remove({ client, directory }: LocalVolumeOptions, volume: KubeObject | undefined) {
  if (!volume || !isToRemove(volume, directory)) return;
  const { name, resourceVersion, finalizers = [] } = volume.metadata;
  await rm(volume.spec.local.path, { recursive: true, force: true });
  const left = finalizers.filter((one) => one !== localVolumes.finalizer);
  const patch = { metadata: { resourceVersion, finalizers: left } };
  await client.patch({ ...volumes, name }, "merge", patch).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
}

export function startLocalVolumes(options: LocalVolumeOptions) {
  const { informers, clock, log, scope } = options;
  const informer = informers.get({ resource: volumes });
  const queue = new WorkQueue({
    clock,
    workers: 1,
    work: (name) => remove(options, informer.get(name)),
    onError: (name, error) =>
      log.warn("a local volume was not removed", { volume: name, error: String(error) }),
  });
  const seen = ({ metadata }: KubeObject) => {
    if (metadata.deletionTimestamp) queue.add(metadata.name);
  };
  scope.defer(informer.subscribe({ onAdd: seen, onUpdate: seen }));
  scope.defer(() => queue.stop());
}
