// Makes volumes for claims of the class `local-path`: a folder of the node on which the claim's first pod runs,
// or a file there, for a block device or for a file system that is as large as the claim and no larger. The node makes it when a pod mounts it, and removes it, with the volume's finalizer, when the volume
// goes (`node/volumes/local-volumes.ts`).
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import { isStatus } from "../lib/status-error.ts";
import { provisionedBy, selectedNodeAnnotation } from "./persistent-volume/plan.ts";
import type { Controller } from "./runtime.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");
const classes = resource("storage.k8s.io/v1", "storageclasses");
const nodes = resource("v1", "nodes");

const hostname = "kubernetes.io/hostname";

const hasOwnSize = (storageClass: KubeObject) =>
  storageClass["parameters"]?.[localVolumes.sizeParameter] === "true";

/** Why no volumes are made of such a class. Pure. */
export function refusedClass(storageClass: KubeObject): string | undefined {
  for (const [name, value] of Object.entries<string>(storageClass["parameters"] ?? {})) {
    if (name !== localVolumes.sizeParameter) {
      return `parameter "${name}" is not known; there is "${localVolumes.sizeParameter}"`;
    }
    if (value !== "true" && value !== "false") return `${name} is "true" or "false"`;
  }
  return undefined;
}

/** The volume for a claim on a node whose volumes lie in `directory`. Pure. */
export function localVolume(
  claim: KubeObject,
  storageClass: KubeObject,
  node: KubeObject,
  directory: string,
): Draft {
  const { metadata, spec } = claim;
  const name = `pvc-${metadata.uid}`;
  const values = [node.metadata.labels?.[hostname] ?? node.metadata.name];
  const matchExpressions = [{ key: hostname, operator: "In", values }];
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {
      name,
      annotations: { [provisionedBy]: localVolumes.provisioner },
      finalizers: [localVolumes.finalizer],
    },
    spec: {
      capacity: { storage: spec.resources.requests.storage },
      accessModes: spec.accessModes,
      volumeMode: spec.volumeMode ?? "Filesystem",
      storageClassName: storageClass.metadata.name,
      persistentVolumeReclaimPolicy: storageClass["reclaimPolicy"] ?? "Delete",
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
      },
      local: {
        path: `${directory}/${name}_${metadata.namespace}_${metadata.name}`,
        ...(hasOwnSize(storageClass) && spec.volumeMode !== "Block" && { fsType: "ext4" }),
      },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}

type Place = { node: KubeObject; directory: string } | { why: string };

/** Where a claim's volume goes; undefined while its first pod is waited for. Pure. */
export function placeFor(
  claim: KubeObject,
  storageClass: KubeObject,
  all: KubeObject[],
): Place | undefined {
  const directoryOf = ({ metadata }: KubeObject) =>
    metadata.annotations?.[localVolumes.directoryAnnotation];
  const keepers = all.flatMap((node) => {
    const directory = directoryOf(node);
    return directory ? [{ node, directory }] : [];
  });
  const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
  if (selected) {
    const place = keepers.find(({ node }) => node.metadata.name === selected);
    return place ?? { why: `node ${selected} keeps no local volumes` };
  }
  if (storageClass["volumeBindingMode"] === "WaitForFirstConsumer") return undefined;
  if (keepers.length === 1) return keepers[0];
  const { name } = storageClass.metadata;
  const why = `class "${name}" binds at once, and ${keepers.length} nodes keep local volumes; a class with volumeBindingMode: WaitForFirstConsumer takes the node of the claim's first pod`;
  return { why };
}

/** A node may come that keeps volumes. */
const retryMs = 15_000;

export const localPathController: Controller = {
  name: "local-path",
  inputs: [
    { resource: claims },
    { resource: volumes, keys: () => [] },
    { resource: classes, keys: () => [] },
    { resource: nodes, keys: () => [] },
  ],
  outputs: [volumes],
  async reconcile(key, { client, informer, event, wakeAfter }) {
    const [namespace, name] = key.split("/") as [string, string];
    const claim = informer(claims).get(name, namespace);
    if (!claim || claim.spec.volumeName || claim.metadata.deletionTimestamp) return;
    const storageClass = informer(classes).get(claim.spec.storageClassName ?? "");
    if (storageClass?.["provisioner"] !== localVolumes.provisioner) return;
    if (informer(volumes).get(`pvc-${claim.metadata.uid}`)) return;
    const refuse = (why: string) => event(claim, "Warning", "ProvisioningFailed", why);
    const why = refusedClass(storageClass);
    if (why) return refuse(why);
    const place = placeFor(claim, storageClass, informer(nodes).list());
    if (!place) return;
    if ("why" in place) {
      wakeAfter(key, retryMs);
      return refuse(place.why);
    }
    const draft = localVolume(claim, storageClass, place.node, place.directory);
    await client.create(volumes, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
    event(
      claim,
      "Normal",
      "ProvisioningSucceeded",
      `Successfully provisioned volume ${draft.metadata!.name}`,
    );
  },
};
