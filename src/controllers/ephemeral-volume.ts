// Makes the claims of pods' generic ephemeral volumes. A claim is owned by its pod, so it goes with it.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { hasFinished } from "./pod-state.ts";
import { controllerReference } from "./pod-template.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const claims = resource("v1", "persistentvolumeclaims");
const pods = resource("v1", "pods");

/** The claim of an ephemeral volume. Pure. */
export function ephemeralClaim(pod: KubeObject, volume: any): Draft {
  const { metadata = {}, spec } = volume.ephemeral.volumeClaimTemplate;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: `${pod.metadata.name}-${volume.name}`,
      namespace: pod.metadata.namespace!,
      ...(metadata.labels && { labels: metadata.labels }),
      ...(metadata.annotations && { annotations: metadata.annotations }),
      ownerReferences: [controllerReference({ ...pod, apiVersion: "v1", kind: "Pod" })],
    },
    spec: structuredClone(spec),
  };
}

async function ensureClaim(pod: KubeObject, volume: any, context: ControllerContext) {
  const { namespace, uid } = pod.metadata;
  const draft = ephemeralClaim(pod, volume);
  const { name } = draft.metadata as { name: string };
  let known = context.informer(claims).get(name, namespace);
  if (!known) {
    try {
      await context.client.create({ ...claims, namespace }, draft);
      return;
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
      known = await context.client.get({ ...claims, namespace, name });
    }
  }
  if (controllerOf(known)?.uid === uid) return;
  const message = `PVC ${namespace}/${name} was not created for the pod (pod is not owner)`;
  context.event(pod, "Warning", "EphemeralVolumeConflict", message);
}

export const ephemeralVolume: Controller = {
  name: "ephemeral-volume",
  inputs: [
    {
      resource: pods,
      keys: ({ metadata, spec }) =>
        spec.volumes?.some((one: any) => one.ephemeral)
          ? [`${metadata.namespace}/${metadata.name}`]
          : [],
    },
    {
      resource: claims,
      keys: (claim) => {
        const owner = controllerOf(claim);
        return owner?.kind === "Pod" ? [`${claim.metadata.namespace}/${owner.name}`] : [];
      },
    },
  ],
  outputs: [claims],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const pod = context.informer(pods).get(name, namespace);
    if (!pod || pod.metadata.deletionTimestamp || hasFinished(pod)) return;
    for (const volume of pod.spec.volumes ?? []) {
      if (volume.ephemeral) await ensureClaim(pod, volume, context);
    }
  },
};
