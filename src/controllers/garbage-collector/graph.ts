// Who owns whom, by uid, and what follows from it. Only identities are kept, so a site with ten thousand
// objects holds a few megabytes here. Decisions are pure functions of the graph.
import type { KubeObject, OwnerReference } from "../../kinds/object.ts";
import type { DiscoveredResource } from "../runtime.ts";

export interface GraphNode {
  of: DiscoveredResource;
  uid: string;
  name: string;
  namespace: string | undefined;
  owners: OwnerReference[];
  finalizers: string[];
  deleting: boolean;
}

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

export const nodeOf = (of: DiscoveredResource, { metadata }: KubeObject): GraphNode => ({
  of,
  uid: metadata.uid,
  name: metadata.name,
  namespace: metadata.namespace,
  owners: metadata.ownerReferences ?? [],
  finalizers: metadata.finalizers ?? [],
  deleting: metadata.deletionTimestamp !== undefined,
});

/** Only what the graph needs of an object. */
export const identityOf = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const { ownerReferences, finalizers, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      ...(namespace && { namespace }),
      ...(ownerReferences && { ownerReferences }),
      ...(finalizers && { finalizers }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
  };
};

/** Is it deleted in the foreground, waiting for its dependents? */
export const isWaiting = ({ deleting, finalizers }: GraphNode) =>
  deleting && finalizers.includes(foregroundFinalizer);

export class Graph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string) {
    return this.#nodes.get(uid);
  }

  dependents(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((one) => this.#nodes.get(one)!);
  }

  put(node: GraphNode) {
    this.#unlink(node.uid);
    this.#nodes.set(node.uid, node);
    for (const { uid } of node.owners) {
      const set = this.#dependents.get(uid) ?? new Set();
      this.#dependents.set(uid, set.add(node.uid));
    }
  }

  remove(uid: string) {
    this.#unlink(uid);
    this.#nodes.delete(uid);
  }

  #unlink(uid: string) {
    for (const owner of this.#nodes.get(uid)?.owners ?? []) {
      const set = this.#dependents.get(owner.uid);
      set?.delete(uid);
      if (set?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}

export type OwnerState = "solid" | "dangling" | "waiting";

/** What to do with an object whose owners are in these states. */
export type Verdict =
  | { do: "nothing" }
  | { do: "unlink"; owners: OwnerReference[] }
  | { do: "delete"; propagation: "Orphan" | "Background" | "Foreground" };

/** Pure: an object lives as long as one owner does (garbagecollector.attemptToDeleteItem). */
export function judge(node: GraphNode, states: OwnerState[], hasDependents: boolean): Verdict {
  if (states.length === 0 || node.deleting) return { do: "nothing" };
  const lost = node.owners.filter((_, i) => states[i] !== "solid");
  if (states.includes("solid")) {
    return lost.length > 0 ? { do: "unlink", owners: lost } : { do: "nothing" };
  }
  if (states.includes("waiting") && hasDependents)
    return { do: "delete", propagation: "Foreground" };
  if (node.finalizers.includes(orphanFinalizer)) return { do: "delete", propagation: "Orphan" };
  const foreground = node.finalizers.includes(foregroundFinalizer);
  return { do: "delete", propagation: foreground ? "Foreground" : "Background" };
}

/** Dependents that hold back the foreground deletion of `owner`. Pure. */
export const blocking = (owner: string, dependents: GraphNode[]) =>
  dependents.filter(({ owners }) =>
    owners.some(({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion),
  );
