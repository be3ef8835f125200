// Binds PersistentVolumeClaims and PersistentVolumes to each other and tells where each stands.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import {
  betaProvisionerAnnotation,
  boundClaim,
  boundStatus,
  claimRefOf,
  planClaim,
  planVolume,
  provisionerAnnotation,
} from "./persistent-volume/plan.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const classes = resource("storage.k8s.io/v1", "storageclasses");

const resyncMs = 60_000;

const claimKey = (namespace: string | undefined, name: string) => `claim/${namespace}/${name}`;
const volumeKey = (name: string) => `volume/${name}`;

const isUnbound = ({ spec, status }: KubeObject) => !spec.volumeName || status?.phase !== "Bound";

/** Everything that still waits: a new volume or class may be what it waits for. */
const unbound = ({ informer }: ControllerContext) =>
  informer(claims)
    .list()
    .filter(isUnbound)
    .map(({ metadata }) => claimKey(metadata.namespace, metadata.name));

function keysOfVolume(volume: KubeObject, context: ControllerContext) {
  const { claimRef } = volume.spec;
  const of = claimRef ? [claimKey(claimRef.namespace, claimRef.name)] : unbound(context);
  return [volumeKey(volume.metadata.name), ...of];
}

async function reconcileClaim(namespace: string, name: string, context: ControllerContext) {
  const { client, informer, event } = context;
  const claim = informer(claims).get(name, namespace);
  if (!claim || claim.metadata.deletionTimestamp) return;
  const target = { ...claims, namespace, name };
  const storageClass = informer(classes).get(claim.spec.storageClassName ?? "");
  const plan = planClaim(claim, informer(volumes).list(), storageClass);
  if (plan.event) event(claim, plan.event.type, plan.event.reason, plan.event.message);
  if (plan.keep) {
    const { metadata } = plan.keep;
    await client.patch({ ...volumes, name: metadata.name }, "merge", {
      metadata: { resourceVersion: metadata.resourceVersion },
      spec: { claimRef: claimRefOf(claim) },
    });
  }
  if (plan.ask) {
    const { ask } = plan;
    const annotations = { [provisionerAnnotation]: ask, [betaProvisionerAnnotation]: ask };
    await client.patch(target, "merge", { metadata: { annotations } });
  }
  const bind = plan.bind ?? plan.keep;
  if (bind) {
    const fresh = await client.update(target, boundClaim(claim, bind));
    const status = boundStatus(fresh, bind);
    await client.update({ ...target, subresource: "status" }, { ...fresh, status });
  } else if (plan.status) {
    await client.update({ ...target, subresource: "status" }, { ...claim, status: plan.status });
  }
}

async function reconcileVolume(name: string, { client, informer }: ControllerContext) {
  const volume = informer(volumes).get(name);
  if (!volume) return;
  const { claimRef } = volume.spec;
  const claim = claimRef && informer(claims).get(claimRef.name, claimRef.namespace);
  const plan = planVolume(volume, claim);
  const target = { ...volumes, name };
  if (plan.status) {
    await client.update({ ...target, subresource: "status" }, { ...volume, status: plan.status });
  }
  if (plan.remove) await client.delete(target, { preconditions: { uid: volume.metadata.uid } });
}

export const persistentVolumeController: Controller = {
  name: "persistent-volume",
  inputs: [
    {
      resource: claims,
      keys: ({ metadata, spec }) => [
        claimKey(metadata.namespace, metadata.name),
        ...(spec.volumeName ? [volumeKey(spec.volumeName)] : []),
      ],
    },
    { resource: volumes, keys: keysOfVolume },
    { resource: classes, keys: (_, context) => unbound(context) },
  ],
  outputs: [
    claims,
    volumes,
    { ...claims, resource: "persistentvolumeclaims/status" },
    { ...volumes, resource: "persistentvolumes/status" },
  ],
  async reconcile(key, context) {
    const [what, ...rest] = key.split("/") as [string, string, string];
    try {
      if (what === "claim") await reconcileClaim(rest[0], rest[1], context);
      else await reconcileVolume(rest[0], context);
    } catch (error) {
      // Somebody was faster: what changed wakes this key again, and a timer in case it did before.
      if (!isStatus(error, "Conflict", "NotFound")) throw error;
      context.wakeAfter(key, 100);
    }
  },
  resyncMs,
};
