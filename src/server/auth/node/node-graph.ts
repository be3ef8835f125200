// Which objects the pods of each node refer to, kept as the store tells of pods and claims. Made when the first
// node asks: a site whose only node is in the same process never pays for it.
import type { KubeObject } from "../../../kinds/object.ts";
import { parseShared } from "../../../lib/parse-shared.ts";
import type { Scope } from "../../../lib/scope.ts";
import type { Store, StoreEvent } from "../../../store/store.ts";
import { referencesOf } from "./pod-references.ts";

const podsPrefix = "pods/";
const claimsPrefix = "persistentvolumeclaims/";

interface PodEntry {
  node: string;
  references: Set<string>;
}

export class NodeGraph {
  readonly #pods = new Map<string, PodEntry>();
  /** Keys of the pods of each node. */
  readonly #byNode = new Map<string, Set<string>>();
  /** The volume of each claim. */
  readonly #volumes = new Map<string, string>();

  static async open(store: Store, scope: Scope): Promise<NodeGraph> {
    const graph = new NodeGraph();
    await graph.#follow(store, scope, podsPrefix, (key, pod) => graph.#setPod(key, pod));
    await graph.#follow(store, scope, claimsPrefix, (key, claim) => graph.#setClaim(key, claim));
    return graph;
  }

  /** Is `key` (`secrets/ns/name`) referred to by a pod of `node`? */
  reaches(node: string, key: string): boolean {
    for (const pod of this.#byNode.get(node) ?? []) {
      if (this.#pods.get(pod)!.references.has(key)) return true;
    }
    return false;
  }

  /** Does a pod of `node` use the volume by its claim? */
  reachesVolume(node: string, volume: string): boolean {
    for (const [claim, bound] of this.#volumes) {
      if (bound === volume && this.reaches(node, claim)) return true;
    }
    return false;
  }

  async #follow(
    store: Store,
    scope: Scope,
    prefix: string,
    set: (key: string, object: KubeObject | undefined) => void,
  ) {
    let waiting: StoreEvent[] | undefined = [];
    const take = (events: StoreEvent[]) => {
      for (const { type, key, value } of events) {
        set(key, type === "delete" ? undefined : parseShared<KubeObject>(value));
      }
    };
    const listen = (events: StoreEvent[]) =>
      void (waiting ? waiting.push(...events) : take(events));
    scope.defer(store.subscribe(prefix, listen));
    const { entries, revision } = await store.list(prefix);
    for (const { key, value } of entries) set(key, parseShared<KubeObject>(value));
    take(waiting.filter((event) => event.revision > revision));
    waiting = undefined;
  }

  #setPod(key: string, pod: KubeObject | undefined) {
    const old = this.#pods.get(key);
    if (old) {
      this.#byNode.get(old.node)?.delete(key);
      this.#pods.delete(key);
    }
    const node: string | undefined = pod?.spec.nodeName;
    if (!pod || !node) return;
    this.#pods.set(key, { node, references: referencesOf(pod) });
    const pods = this.#byNode.get(node) ?? new Set();
    this.#byNode.set(node, pods.add(key));
  }

  #setClaim(key: string, claim: KubeObject | undefined) {
    const volume: string | undefined = claim?.spec.volumeName;
    if (volume) this.#volumes.set(key, volume);
    else this.#volumes.delete(key);
  }
}
