// All volumes of one pod: made together before its containers, kept up to date while it lives.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentContext } from "../context.ts";
import {
  localVolumesDirectory,
  memoryDirectory,
  podDirectory,
  subPathDirectory,
} from "../directories.ts";
import type { ObjectKind } from "../objects.ts";
import type { Pod } from "./pod.ts";
import { forgetTokens } from "../volumes/service-account-token.ts";
import { forgetHeld, readHeld, someHeld, writeHeld } from "../volumes/held.ts";
import type { Held } from "../volumes/held.ts";
import { ensureImage } from "../images/pull-image.ts";
import { pluginOf, typeNamed, typeNameOf, volumeType } from "../volumes/types.ts";
import type { Volume } from "../volumes/volume.ts";

type Declared = { name: string; [type: string]: any };

interface PrepareOptions {
  /** Only what is made and must be made again: those that follow API objects, and these. */
  again?: ReadonlySet<string>;
  podIps?: string[];
}

function prepareOne(
  context: AgentContext,
  pod: Pod,
  volume: Declared,
  { podIps = [], again }: PrepareOptions,
) {
  const { client, objects, facts, mounts, runtime, clock, directories } = context;
  const { uid } = pod.metadata;
  const own = podDirectory(directories, uid);
  return volumeType(volume).prepare({
    pod,
    volume,
    client,
    objects,
    facts,
    podIps,
    mounts,
    runtime,
    csi: context.csi,
    isAgain: again !== undefined,
    clock,
    pull: (image) => ensureImage(context, pod, image),
    hold: (details) => writeHeld(own, volume.name, { ...details, type: typeNameOf(volume) }),
    localVolumes: localVolumesDirectory(directories.root),
    onDisk: join(own, "volumes", volume.name),
    inMemory: join(memoryDirectory(directories, uid), volume.name),
  });
}

async function measured(context: AgentContext, volume: Declared, make: () => Promise<Volume>) {
  const { metrics, clock } = context;
  const began = clock.monotonic();
  let failed = true;
  try {
    const made = await make();
    failed = false;
    return made;
  } finally {
    const plugin = pluginOf(typeNameOf(volume));
    metrics.mounted(plugin, clock.monotonic() - began, failed);
  }
}

/** Makes or updates a pod's volumes. */
export async function prepareVolumes(
  context: AgentContext,
  pod: Pod,
  options: PrepareOptions = {},
): Promise<Map<string, Volume>> {
  const { again } = options;
  const declared: Declared[] = pod.spec.volumes ?? [];
  const isChosen = (volume: Declared) => volumeType(volume).live || again!.has(volume.name);
  const chosen = again ? declared.filter(isChosen) : declared;
  const made = await Promise.all(
    chosen.map(async (volume) => {
      const prepared = await measured(context, volume, () =>
        prepareOne(context, pod, volume, options),
      );
      return [volume.name, prepared] as const;
    }),
  );
  return new Map(made);
}

/** True when a volume of the pod shows this object. */
export function showsObject(pod: Pod, kind: ObjectKind, name: string): boolean {
  const uses = (source: any) =>
    kind === "configmap"
      ? source?.configMap?.name === name
      : (source?.secret?.secretName ?? source?.secret?.name) === name;
  return (pod.spec.volumes ?? []).some(
    (volume) => uses(volume) || (volume.projected?.sources ?? []).some(uses),
  );
}

/** Mounts go first: what is shown cannot be given back. */
async function release(context: AgentContext, podUid: string) {
  const { directories, mounts } = context;
  const own = podDirectory(directories, podUid);
  for (const shown of [subPathDirectory(directories, podUid), join(own, "volumes")]) {
    await mounts.unmountBelow(shown);
  }
  for (const [volume, held] of await readHeld(own)) {
    const isHeldByOthers = (isSame: (other: Held) => boolean) =>
      someHeld(join(directories.root, "pods"), (other, where) => where !== own && isSame(other));
    await typeNamed(held.type)?.release?.({ ...context, isHeldByOthers }, held);
    await forgetHeld(own, volume);
  }
}

/** Gives back the volumes of a pod that has ended, which may stay in the API for long. Idempotent. */
export async function removePodVolumes(context: AgentContext, podUid: string) {
  const { directories, mounts, client } = context;
  forgetTokens(client, podUid);
  await release(context, podUid);
  const onDisk = join(podDirectory(directories, podUid), "volumes");
  for (const path of [onDisk, memoryDirectory(directories, podUid)]) {
    await mounts.unmountBelow(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Removes what a pod had on the host. Idempotent. */
export async function removePodFiles(context: AgentContext, podUid: string) {
  const { directories, mounts, client } = context;
  forgetTokens(client, podUid);
  await release(context, podUid);
  for (const path of [podDirectory(directories, podUid), memoryDirectory(directories, podUid)]) {
    await mounts.unmountBelow(path);
    await rm(path, { recursive: true, force: true });
  }
  context.userNamespaces.release(podUid);
}
