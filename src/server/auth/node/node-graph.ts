// Which node may reach which object, through the pods that are bound to it. The graph is filled when the
// first node asks and follows the store from then on; what lies behind claims is looked up when asked for.
import type { KubeObject } from "../../../kinds/object.ts";
import { localVolumes } from "../../../lib/local-volumes.ts";
import { parseShared } from "../../../lib/parse-shared.ts";
import type { Scope } from "../../../lib/scope.ts";
import type { Store, StoreEvent } from "../../../store/store.ts";
import { podReferences } from "../../../kinds/pod-references.ts";

const prefix = "pods/";

interface Bound {
  node: string;
  references: Set<string>;
}

export class NodeGraph {
  readonly #store: Store;
  /** By `namespace/name`. */
  readonly #pods = new Map<string, Bound>();
  /** Node, then the keys of its pods. */
  readonly #byNode = new Map<string, Set<string>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Fills the graph and keeps it until `scope` closes. */
  static async open(store: Store, scope: Scope): Promise<NodeGraph> {
    const graph = new NodeGraph(store);
    let waiting: StoreEvent[] | undefined = [];
    const take = (events: StoreEvent[]) => {
      for (const { type, key, value } of events) {
        graph.apply(
          key.slice(prefix.length),
          type === "delete" ? undefined : parseShared<KubeObject>(value),
        );
      }
    };
    scope.defer(
      store.subscribe(prefix, (events) => void (waiting ? waiting.push(...events) : take(events))),
    );
    const { entries, revision } = await store.list(prefix);
    for (const { key, value } of entries) {
      graph.apply(key.slice(prefix.length), parseShared<KubeObject>(value));
    }
    take(waiting.filter((event) => event.revision > revision));
    waiting = undefined;
    return graph;
  }

  /** `path` is `namespace/name`; without `pod` it is gone. */
  apply(path: string, pod: KubeObject | undefined) {
    const old = this.#pods.get(path);
    const node: string | undefined = pod?.spec.nodeName;
    if (old && old.node !== node) {
      const paths = this.#byNode.get(old.node);
      paths?.delete(path);
      if (paths?.size === 0) this.#byNode.delete(old.node);
    }
    if (!pod || !node) return void this.#pods.delete(path);
    this.#pods.set(path, { node, references: podReferences(pod) });
    let paths = this.#byNode.get(node);
    if (!paths) this.#byNode.set(node, (paths = new Set()));
    paths.add(path);
  }

  /** True when the pod is bound to `node`. */
  runs(node: string, namespace: string, name: string): boolean {
    return this.#pods.get(`${namespace}/${name}`)?.node === node;
  }

  /** True when a pod of `node` in `namespace` names the object. */
  names(node: string, resource: string, namespace: string, name: string): boolean {
    const reference = `${resource}/${name}`;
    for (const path of this.#byNode.get(node) ?? []) {
      if (!path.startsWith(`${namespace}/`)) continue;
      if (this.#pods.get(path)!.references.has(reference)) return true;
    }
    return false;
  }

  /** True when the volume is bound to a claim that a pod of `node` names. */
  async reachesVolume(node: string, name: string): Promise<boolean> {
    const claim = (await this.#read(`persistentvolumes/${name}`))?.spec.claimRef;
    return !!claim && this.names(node, "persistentvolumeclaims", claim.namespace, claim.name);
  }

  /** True for a local volume that lies on the node, which removes it and takes its finalizer off. */
  async keepsVolume(node: string, name: string): Promise<boolean> {
    const volume = await this.#read(`persistentvolumes/${name}`);
    if (!volume?.metadata.finalizers?.includes(localVolumes.finalizer)) return false;
    const terms: any[] = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
    return terms.some(({ matchExpressions = [] }) =>
      matchExpressions.some(
        ({ key, values = [] }: any) => key === "kubernetes.io/hostname" && values.includes(node),
      ),
    );
  }

  /** True when a volume behind a claim of one of the node's pods needs the Secret to be mounted. */
  async reachesSecretOfVolume(node: string, namespace: string, name: string): Promise<boolean> {
    for (const claim of this.#claims(node)) {
      const volumeName = (await this.#read(`persistentvolumeclaims/${claim}`))?.spec.volumeName;
      const volume = volumeName && (await this.#read(`persistentvolumes/${volumeName}`));
      const { claimRef } = volume?.spec ?? {};
      if (!volume || `${claimRef?.namespace}/${claimRef?.name}` !== claim) continue;
      if (secretsOf(volume).has(`${namespace}/${name}`)) return true;
    }
    return false;
  }

  async attaches(node: string, name: string): Promise<boolean> {
    const attachment = await this.#read(`volumeattachments.storage.k8s.io/${name}`);
    return attachment?.spec.nodeName === node;
  }

  *#claims(node: string): Generator<string> {
    const kind = "persistentvolumeclaims/";
    for (const path of this.#byNode.get(node) ?? []) {
      const namespace = path.slice(0, path.indexOf("/"));
      for (const reference of this.#pods.get(path)!.references) {
        if (reference.startsWith(kind)) yield `${namespace}/${reference.slice(kind.length)}`;
      }
    }
  }

  async #read(key: string) {
    const entry = await this.#store.get(key);
    return entry && parseShared<KubeObject>(entry.value);
  }
}

/** The Secrets of a volume's driver, `namespace/name`; some lie beside the claim. */
function secretsOf({ spec }: KubeObject): Set<string> {
  const secrets = new Set<string>();
  const add = (ref: any) => {
    if (ref?.name) secrets.add(`${ref.namespace || spec.claimRef.namespace}/${ref.name}`);
  };
  for (const stage of ["nodePublish", "nodeStage", "nodeExpand", "controllerPublish"]) {
    add(spec.csi?.[`${stage}SecretRef`]);
  }
  for (const driver of ["cephfs", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"]) {
    add(spec[driver]?.secretRef);
  }
  const { secretName: name, secretNamespace: namespace } = spec.azureFile ?? {};
  add({ name, namespace });
  return secrets;
}
