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

export const localPathController: Controller = {
  name: "local-path",
  inputs: [
    { resource: claims },
    { resource: volumes, keys: () => [] },
    { resource: classes, keys: () => [] },
    { resource: nodes, keys: () => [] },
  ],
  outputs: [volumes],
  async reconcile(key, { client, informer, event }) {
    const [namespace, name] = key.split("/") as [string, string];
    const claim = informer(claims).get(name, namespace);
    if (!claim || claim.spec.volumeName || claim.metadata.deletionTimestamp) return;
    const storageClass = informer(classes).get(claim.spec.storageClassName ?? "");
    const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation];
    if (storageClass?.["provisioner"] !== localVolumes.provisioner || !nodeName) return;
    if (informer(volumes).get(`pvc-${claim.metadata.uid}`)) return;
    const refuse = (why: string) => event(claim, "Warning", "ProvisioningFailed", why);
    const why = refusedClass(storageClass);
    if (why) return refuse(why);
    const node = informer(nodes).get(nodeName);
    const directory = node?.metadata.annotations?.[localVolumes.directoryAnnotation];
    if (!directory) return refuse(`node ${nodeName} keeps no local volumes`);
    const draft = localVolume(claim, storageClass, node!, directory);
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
