// Claims that wait for their first consumer, once the node is chosen: the chosen node is written on
// each, so that its provisioner makes the volume there; the pod is bound when all are bound.
import { resource, type Client } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { KubeObject } from "../kinds/object.ts";
import { sleep, type Clock } from "../lib/clock.ts";
import { StatusError } from "../lib/status-error.ts";
import { claimsOf } from "./filters/volumes.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";
import { findVolume, provisions, selectedNodeAnnotation } from "./volumes.ts";

export const persistentVolumeClaims = resource("v1", "persistentvolumeclaims");
export const persistentVolumes = resource("v1", "persistentvolumes");

const bindMsMax = 10 * 60_000;

const isBound = (claim: KubeObject | undefined) =>
  claim?.status?.phase === "Bound" && !!claim.spec?.volumeName;

export interface ClaimOptions {
  client: Client;
  clock: Clock;
  snapshot: Snapshot;
  claims: Informer;
  signal: AbortSignal;
}

/** The pod's claims that have no volume yet. */
export function waitingClaims(pod: PodInfo, snapshot: Snapshot): KubeObject[] {
  return claimsOf(pod)
    .map(({ name }) => snapshot.volumes.claim(pod.namespace, name))
    .filter((claim) => claim && !claim.spec?.volumeName) as KubeObject[];
}

async function choose(claim: KubeObject, node: string, options: ClaimOptions) {
  const { client, snapshot } = options;
  const { namespace, name, uid } = claim.metadata;
  if (provisions(claim, snapshot.volumes)) {
    await client.patch({ ...persistentVolumeClaims, namespace, name }, "merge", {
      metadata: { annotations: { [selectedNodeAnnotation]: node } },
    });
    return;
  }
  const info = snapshot.byName.get(node);
  const volume = info && findVolume(claim, info, snapshot.volumes);
  if (!volume) throw new StatusError("Conflict", `no volume left for claim "${name}"`);
  await client.patch({ ...persistentVolumes, name: volume.metadata.name }, "merge", {
    metadata: { resourceVersion: volume.metadata.resourceVersion },
    spec: {
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid },
    },
  });
}

/** Resolves when every claim is bound; rejects with Timeout when that takes too long. */
export async function bindClaims(claims: KubeObject[], node: string, options: ClaimOptions) {
  await Promise.all(claims.map((claim) => choose(claim, node, options)));
  const left = new Set(claims.map((claim) => claim.metadata.uid));
  await new Promise<void>((resolve, reject) => {
    const done = (settle: () => void) => {
      stop.abort();
      unsubscribe?.();
      settle();
    };
    const stop = new AbortController();
    const seen = (claim: KubeObject) => {
      if (isBound(claim) && left.delete(claim.metadata.uid) && left.size === 0) done(resolve);
    };
    let unsubscribe: (() => void) | undefined;
    unsubscribe = options.claims.subscribe({ onAdd: seen, onUpdate: seen });
    if (left.size === 0) unsubscribe();
    const late = () => done(() => reject(new StatusError("Timeout", "binding volumes timed out")));
    void sleep(options.clock, bindMsMax, AbortSignal.any([stop.signal, options.signal])).then(
      late,
      () => options.signal.aborted && done(() => reject(options.signal.reason)),
    );
  });
}
