// A claim that a pod uses and a volume that a claim holds are not removed from under them: their finalizers
// are taken off when nobody needs them any more.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { hasFinished } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const pods = resource("v1", "pods");

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";

/** The names of the claims a pod mounts. */
const claimsOfPod = ({ metadata, spec }: KubeObject): string[] =>
  (spec.volumes ?? []).flatMap((volume: any) => {
    if (volume.persistentVolumeClaim) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral ? [`${metadata.name}-${volume.name}`] : [];
  });

const isUsed = ({ metadata }: KubeObject, { informer }: ControllerContext) =>
  informer(pods)
    .list(metadata.namespace)
    .some(
      (pod) => !hasFinished(pod) && pod.spec.nodeName && claimsOfPod(pod).includes(metadata.name),
    );

async function letGo(
  object: KubeObject,
  of: typeof claims,
  finalizer: string,
  { client }: ControllerContext,
) {
  const { name, namespace, resourceVersion, finalizers = [] } = object.metadata;
  if (!finalizers.includes(finalizer)) return;
  const left = finalizers.filter((one) => one !== finalizer);
  const patch = { metadata: { resourceVersion, finalizers: left } };
  await client
    .patch({ ...of, ...(namespace && { namespace }), name }, "merge", patch)
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
}

export const claimProtection: Controller = {
  name: "pvc-protection",
  inputs: [
    { resource: claims },
    {
      resource: pods,
      keys: (pod) => claimsOfPod(pod).map((name) => `${pod.metadata.namespace}/${name}`),
    },
  ],
  outputs: [claims],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const claim = context.informer(claims).get(name, namespace);
    if (!claim?.metadata.deletionTimestamp || isUsed(claim, context)) return;
    await letGo(claim, claims, claimFinalizer, context);
  },
};

export const volumeProtection: Controller = {
  name: "pv-protection",
  inputs: [{ resource: volumes }],
  outputs: [volumes],
  async reconcile(name, context) {
    const volume = context.informer(volumes).get(name);
    if (!volume?.metadata.deletionTimestamp || volume.status?.phase === "Bound") return;
    await letGo(volume, volumes, volumeFinalizer, context);
  },
};
