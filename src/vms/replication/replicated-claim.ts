// Makes the volumes for claims of classes whose provisioner is `kerb.dev/replicated`, and removes what lies on their
// nodes when a claim is gone.
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { provisionedBy } from "../../controllers/persistent-volume/plan.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { replicatedVolumes } from "../../lib/replicated-volumes.ts";
import { isStatus } from "../../lib/status-error.ts";
import { replicasPart } from "../control.ts";
import { claims } from "../kinds/resources.ts";
import { placeCopies } from "./place.ts";
import { isReplicated, replicatedVolumesOf } from "./record.ts";

const volumes = resource("v1", "persistentvolumes");
const classes = resource("storage.k8s.io/v1", "storageclasses");
const nodes = resource("v1", "nodes");
const hostname = "kubernetes.io/hostname";
const lookMs = 5000;
const copiesDefault = "2";
const copiesKept = ["2", "3"];

/** The volume of a claim whose copies lie on nodes with these hostnames. Pure. */
export function replicatedPersistentVolume(
  claim: KubeObject,
  storageClass: KubeObject,
  hostnames: string[],
): Draft {
  const { metadata, spec } = claim;
  const name = `pvc-${metadata.uid}`;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, annotations: { [provisionedBy]: replicatedVolumes.provisioner } },
    spec: {
      capacity: { storage: spec.resources.requests.storage },
      accessModes: spec.accessModes,
      volumeMode: "Filesystem",
      storageClassName: storageClass.metadata.name,
      persistentVolumeReclaimPolicy: storageClass["reclaimPolicy"] ?? "Delete",
      claimRef: {
        ...{ apiVersion: "v1", kind: "PersistentVolumeClaim" },
        ...{ namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
      },
      // Each node has its own copy, in its folder of volumes.
      local: { path: `/var/lib/kerb/volumes/${name}` },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: hostname, operator: "In", values: hostnames }] },
          ],
        },
      },
    },
  };
}

const copiesWanted = ({ parameters }: any): number => Number(parameters?.replicas ?? copiesDefault);

/** Why a claim gets no volume. Pure. */
export function refusalOf({ spec }: KubeObject, storageClass: object): string | undefined {
  const { replicas = copiesDefault, ...others } = (storageClass as any).parameters ?? {};
  if (!copiesKept.includes(replicas)) {
    return `replicas: ${replicas} are not kept; ${copiesKept.join(" or ")} are`;
  }
  const [other] = Object.keys(others);
  if (other) return `parameter ${other} of the class is not known`;
  if (spec.volumeMode === "Block") return "volumeMode: Block is not replicated";
  return undefined;
}

async function provision(claim: KubeObject, { client, informer, event }: ControllerContext) {
  const storageClass = informer(classes).get(claim.spec.storageClassName ?? "");
  if (!storageClass) return;
  const refuse = (why: string) => event(claim, "Warning", "ProvisioningFailed", why);
  const refusal = refusalOf(claim, storageClass);
  if (refusal) return refuse(refusal);
  const name = `pvc-${claim.metadata.uid}`;
  const all = informer(replicatedVolumesOf).list();
  const known = all.find(({ metadata }) => metadata.name === name);
  const load = (node: string) =>
    all.filter(({ status }) => status?.copies?.some((one: any) => one.node === node)).length;
  const places: string[] | undefined =
    known?.status?.copies?.map(({ node }: any) => node) ??
    placeCopies({ nodes: informer(nodes).list(), load, copies: copiesWanted(storageClass) });
  if (!places) return refuse(`${copiesWanted(storageClass)} nodes that run machines are needed`);
  const { namespace, uid } = claim.metadata;
  const made =
    known ??
    (await client.create(replicatedVolumesOf, {
      apiVersion: "vms.kerb.dev/v1alpha1",
      kind: "ReplicatedVolume",
      metadata: { name },
      spec: { claimRef: { namespace, name: claim.metadata.name, uid } },
    }));
  if (!made.status?.copies) {
    // Copies of nothing are the same.
    const status = {
      copies: places.map((node) => ({ node, state: "Current" })),
      ...{ identical: false, current: places.join(","), stale: "" },
    };
    const target = { ...replicatedVolumesOf, name, subresource: "status" };
    await client.update(target, { ...made, status });
  }
  const hostnames = places.map(
    (node) => informer(nodes).get(node)?.metadata.labels?.[hostname] ?? node,
  );
  const draft = replicatedPersistentVolume(claim, storageClass, hostnames);
  await client.create(volumes, draft).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
  event(claim, "Normal", "ProvisioningSucceeded", `Copies are kept on ${places.join(" and ")}`);
}

/** Its claim is gone: takes away what lies on its nodes, and then what is known of it. */
async function remove(record: KubeObject, context: ControllerContext, connect: NodeConnector) {
  const { client, informer } = context;
  const { name } = record.metadata;
  const volume = informer(volumes).get(name);
  if (volume && volume.spec.persistentVolumeReclaimPolicy !== "Delete") return;
  for (const { node } of record.status?.copies ?? []) {
    if (!informer(nodes).get(node)) continue;
    const connection = await connect(node);
    await connection.ask(replicasPart, { method: "remove", volume: name });
  }
  for (const target of [volumes, replicatedVolumesOf]) {
    await client.delete({ ...target, name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

const keyOf = ({ namespace, name }: { namespace?: string; name: string }) => `${namespace}/${name}`;

export const replicatedClaimController = (connect: NodeConnector): Controller => ({
  name: "replicated-claim",
  inputs: [
    { resource: claims },
    { resource: replicatedVolumesOf, keys: ({ spec }) => [keyOf(spec.claimRef)] },
    { resource: volumes, keys: () => [] },
    { resource: classes, keys: () => [] },
    { resource: nodes, keys: () => [] },
  ],
  outputs: [volumes, replicatedVolumesOf],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const { informer } = context;
    const claim = informer(claims).get(name, namespace);
    const gone = informer(replicatedVolumesOf)
      .list()
      .filter(({ spec }) => keyOf(spec.claimRef) === key)
      .filter(({ spec }) => spec.claimRef.uid !== claim?.metadata.uid);
    for (const record of gone) await remove(record, context, connect);
    if (!claim || !isReplicated(claim) || claim.spec.volumeName) return;
    if (claim.metadata.deletionTimestamp) return;
    await provision(claim, context);
    context.wakeAfter(key, lookMs);
  },
});
