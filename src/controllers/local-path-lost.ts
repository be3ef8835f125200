// A local volume lies on one node, which removes it. When that node has left for good nobody does, so the volume
// is let go of; what it held stays on that node's disk.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const volumes = resource("v1", "persistentvolumes");
const nodes = resource("v1", "nodes");
const hostname = "kubernetes.io/hostname";
/** A node whose object was deleted by mistake is there again within this. */
const returnMsMax = 60_000;

/** The hosts that a volume can be on. Pure. */
export const hostsOf = ({ spec }: KubeObject): string[] =>
  (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap(({ matchExpressions = [] }: any) =>
    matchExpressions.flatMap(({ key, values = [] }: any) => (key === hostname ? values : [])),
  );

/** How long until the volume is given up, in milliseconds; undefined when it need not be. Pure. */
export function givenUpIn(volume: KubeObject, all: KubeObject[], now: number): number | undefined {
  const { deletionTimestamp, finalizers = [] } = volume.metadata;
  if (!deletionTimestamp || !finalizers.includes(localVolumes.finalizer)) return undefined;
  const hosts = new Set(hostsOf(volume));
  const isThere = all.some(({ metadata }) =>
    hosts.has(metadata.labels?.[hostname] ?? metadata.name),
  );
  if (isThere) return undefined;
  return Math.max(Date.parse(deletionTimestamp) + returnMsMax - now, 0);
}

export const localPathLost: Controller = {
  name: "local-path-lost",
  inputs: [
    { resource: volumes },
    {
      resource: nodes,
      keys: (_, { informer }, before) =>
        before
          ? []
          : informer(volumes)
              .list()
              .filter(({ metadata }) => metadata.deletionTimestamp)
              .map(({ metadata }) => metadata.name),
    },
  ],
  outputs: [volumes],
  async reconcile(name, { client, informer, clock, event, wakeAfter }) {
    const volume = informer(volumes).get(name);
    const ms = volume && givenUpIn(volume, informer(nodes).list(), clock.now());
    if (!volume || ms === undefined) return;
    if (ms > 0) return wakeAfter(name, ms);
    const { resourceVersion, finalizers = [] } = volume.metadata;
    const left = finalizers.filter((one) => one !== localVolumes.finalizer);
    const text = `node ${hostsOf(volume).join(", ")} has left; ${volume.spec.local?.path} stays on its disk`;
    event(volume, "Warning", "VolumeLost", text);
    const patch = { metadata: { resourceVersion, finalizers: left } };
    await client.patch({ ...volumes, name }, "merge", patch).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  },
};
