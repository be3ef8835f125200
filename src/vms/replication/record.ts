// What is remembered of a replicated volume, in its ReplicatedVolume: which copies hold every write that was
// acknowledged, and who may write. Whoever writes is held until the record allows it; the record is written first.
import type { KubeObject } from "../../kinds/object.ts";
import { replicatedVolumes } from "../../lib/replicated-volumes.ts";
import { resource } from "../../client/client.ts";

export const replicatedVolumesOf = resource("vms.kerb.dev/v1alpha1", "replicatedvolumes");

/** Of pods that wait until the record lets them in. */
export const replicationGate = "vms.kerb.dev/replicated-volume";
/** Of the pods that keep copies. */
export const replicaLabel = "vms.kerb.dev/replica-of";

export interface Copy {
  node: string;
  /** Current: it holds every write that was acknowledged. */
  state: "Current" | "Stale";
}

export interface Writer {
  pod: string;
  uid: string;
  /** Where it may run. */
  nodes: string[];
  /** Its guest may write. */
  released?: boolean;
}

export interface ReplicationRecord {
  copies: Copy[];
  /** Nobody wrote since the current copies were the same, byte for byte. */
  identical: boolean;
  writer?: Writer;
}

const provisioner = "volume.kubernetes.io/storage-provisioner";

export const isReplicated = (claim: KubeObject | undefined): boolean =>
  claim?.metadata.annotations?.[provisioner] === replicatedVolumes.provisioner;

export const currentNodes = ({ copies }: ReplicationRecord) =>
  copies.filter(({ state }) => state === "Current").map(({ node }) => node);

/** With all copies on these nodes current, and the others stale. */
export const withCurrent = (record: ReplicationRecord, nodes: string[]): ReplicationRecord => ({
  ...record,
  copies: record.copies.map(({ node }) => ({
    node,
    state: nodes.includes(node) ? "Current" : "Stale",
  })),
});
