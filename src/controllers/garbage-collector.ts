// Deletes what has lost its last owner, orphans what is to be orphaned, and holds a foreground deletion
// until its dependents are gone. It follows every kind there is, CustomResourceDefinitions included, so
// its inputs come from discovery and it is not a `Controller` with a fixed list.
import { Cache } from "../client/cache.ts";
import { resource } from "../client/client.ts";
import { resourceKey } from "../client/informers.ts";
import { listAndWatch } from "../client/list-watch.ts";
import type { KubeObject, ObjectMeta, OwnerReference } from "../kinds/object.ts";
import { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { WorkQueue } from "../lib/work-queue.ts";
import {
  blocking,
  foregroundFinalizer,
  Graph,
  identityOf,
  isWaiting,
  judge,
  nodeOf,
  orphanFinalizer,
} from "./garbage-collector/graph.ts";
import type { GraphNode, OwnerState } from "./garbage-collector/graph.ts";
import type { ControllersOptions, DiscoveredResource } from "./runtime.ts";

const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
const workers = 8;
const absentMax = 2000;
/** A finalizer that waits for others is looked at again after this, besides being woken. */
const againMs = 1000;
/** Never owned and numerous: following them would cost and gain nothing. */
const ignored = new Set(["events", "events.events.k8s.io"]);

/** Other servers' objects are not followed: one that is away would hold up the collecting of all. */
const followed = ({ group, resource: name, verbs, remote }: DiscoveredResource) =>
  !remote &&
  ["list", "watch", "delete"].every((verb) => verbs.includes(verb)) &&
  !ignored.has(group ? `${name}.${group}` : name);

interface Monitor {
  scope: Scope;
  of: DiscoveredResource;
  cache: Cache;
}

class GarbageCollector {
  readonly #options: ControllersOptions;
  readonly #graph = new Graph();
  readonly #queue: WorkQueue;
  readonly #monitors = new Map<string, Monitor>();
  readonly #kinds = new Map<string, DiscoveredResource>();
  /** Objects whose owners' kinds are not served; a new CustomResourceDefinition may bring them. */
  readonly #undecided = new Set<string>();
  /** Uids found absent when asked for live; uids are never used again. */
  readonly #absent = new Set<string>();

  constructor(options: ControllersOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers,
      work: (uid) => this.#process(uid),
      onError: (uid, error) =>
        options.log.debug("garbage collection of an object failed", { uid, error: String(error) }),
    });
    options.scope.defer(() => this.#queue.stop());
  }

  async start() {
    await this.#refresh();
    const refresh = () => void this.#refresh().catch(() => {});
    const { informers, scope } = this.#options;
    const events = { onAdd: refresh, onUpdate: refresh, onDelete: refresh };
    scope.defer(informers.get({ resource: crds }).subscribe(events));
  }

  /** Follows what discovery shows now, and stops following what it no longer shows. */
  async #refresh() {
    const found = (await this.#options.discover()).filter(followed);
    const wanted = new Map<string, DiscoveredResource>();
    for (const one of found) {
      this.#kinds.set(`${one.group}/${one.version}/${one.kind}`, one);
      const name = `${one.group}/${one.resource}`;
      if (!wanted.has(name)) wanted.set(name, one);
    }
    for (const [name, monitor] of this.#monitors) {
      const now = wanted.get(name);
      if (now && resourceKey(now) === resourceKey(monitor.of)) continue;
      this.#monitors.delete(name);
      void monitor.scope.close();
      // Its objects are gone, or are asked for live until the new monitor shows them.
      for (const object of monitor.cache.list()) this.#changed(monitor.of, object, undefined);
    }
    await Promise.all([...wanted].map(async ([name, of]) => this.#follow(name, of)));
    for (const uid of this.#undecided) this.#queue.add(uid);
    this.#undecided.clear();
  }

  #follow(name: string, of: DiscoveredResource): Promise<void> | undefined {
    if (this.#monitors.has(name)) return undefined;
    const { client, clock, log, scope } = this.#options;
    const child = scope.child();
    const cache = new Cache();
    this.#monitors.set(name, { scope: child, of, cache });
    return new Promise((resolve) => {
      child.defer(resolve);
      void listAndWatch({
        client,
        target: { group: of.group, version: of.version, resource: of.resource },
        clock,
        log,
        signal: child.signal,
        cache,
        keep: identityOf,
        changed: (before, after) => this.#changed(of, before, after),
        synced: resolve,
      });
    });
  }

  #changed(of: DiscoveredResource, before: KubeObject | undefined, after: KubeObject | undefined) {
    if (after) {
      const node = nodeOf(of, after);
      this.#graph.put(node);
      if (node.owners.length > 0 || node.deleting) this.#queue.add(node.uid);
      return;
    }
    const { uid, ownerReferences = [] } = before!.metadata;
    const dependents = this.#graph.dependents(uid);
    this.#graph.remove(uid);
    this.#undecided.delete(uid);
    for (const dependent of dependents) this.#queue.add(dependent.uid);
    // An owner that waits in the foreground may have waited for this one.
    for (const owner of ownerReferences)
      if (this.#graph.get(owner.uid)?.deleting) this.#queue.add(owner.uid);
  }

  async #process(uid: string) {
    const node = this.#graph.get(uid);
    if (!node) return;
    if (node.deleting && node.finalizers.includes(orphanFinalizer)) return this.#orphan(node);
    if (isWaiting(node)) return this.#foreground(node);
    if (node.deleting || node.owners.length === 0) return;
    const states = await Promise.all(node.owners.map((owner) => this.#stateOf(owner, node)));
    if (states.includes(undefined)) return void this.#undecided.add(uid);
    const dependents = this.#graph.dependents(uid);
    const verdict = judge(node, states as OwnerState[], dependents.length > 0);
    if (verdict.do === "unlink") await this.#unlink(node, verdict.owners);
    if (verdict.do === "delete") {
      if (states.includes("waiting") && dependents.some(isWaiting)) await this.#unblock(node);
      await this.#delete(node, verdict.propagation);
    }
  }

  /** Undefined when it cannot be known, as for kinds that are not served. */
  async #stateOf(owner: OwnerReference, node: GraphNode): Promise<OwnerState | undefined> {
    const known = this.#graph.get(owner.uid);
    if (known && (known.namespace === undefined || known.namespace === node.namespace)) {
      return isWaiting(known) ? "waiting" : "solid";
    }
    if (this.#absent.has(owner.uid)) return "dangling";
    const slash = owner.apiVersion.indexOf("/");
    const group = slash < 0 ? "" : owner.apiVersion.slice(0, slash);
    const of = this.#kinds.get(`${group}/${owner.apiVersion.slice(slash + 1)}/${owner.kind}`);
    if (!of || (of.namespaced && node.namespace === undefined)) return undefined;
    const target = {
      group: of.group,
      version: of.version,
      resource: of.resource,
      name: owner.name,
    };
    try {
      const live = await this.#options.client.get(
        of.namespaced ? { ...target, namespace: node.namespace } : target,
      );
      if (live.metadata.uid === owner.uid) return "solid";
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
    if (this.#absent.size >= absentMax) this.#absent.clear();
    this.#absent.add(owner.uid);
    return "dangling";
  }

  #target({ of, namespace, name }: GraphNode) {
    return { group: of.group, version: of.version, resource: of.resource, namespace, name };
  }

  /**
   * Changes the object as it is now, so that no reference or finalizer that somebody else has just written
   * is lost. Throws Conflict when it changes meanwhile; the queue brings it back.
   */
  async #edit(node: GraphNode, change: (metadata: ObjectMeta) => Partial<ObjectMeta>) {
    const { client } = this.#options;
    try {
      const { metadata } = await client.get(this.#target(node));
      if (metadata.uid !== node.uid) return;
      const { uid, resourceVersion } = metadata;
      const patch = { metadata: { uid, resourceVersion, ...change(metadata) } };
      await client.patch(this.#target(node), "merge", patch);
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
    }
  }

  #unlink(node: GraphNode, lost: OwnerReference[]) {
    const uids = new Set(lost.map(({ uid }) => uid));
    return this.#edit(node, ({ ownerReferences = [] }) => ({
      ownerReferences: ownerReferences.filter(({ uid }) => !uids.has(uid)),
    }));
  }

  /** In a circle of owners each would wait for the other: one has to stop blocking. */
  #unblock(node: GraphNode) {
    return this.#edit(node, ({ ownerReferences = [] }) => ({
      ownerReferences: ownerReferences.map((one) => ({ ...one, blockOwnerDeletion: false })),
    }));
  }

  #release(node: GraphNode, finalizer: string) {
    return this.#edit(node, ({ finalizers = [] }) => ({
      finalizers: finalizers.filter((name) => name !== finalizer),
    }));
  }

  async #delete(node: GraphNode, propagationPolicy: "Orphan" | "Background" | "Foreground") {
    const options = { propagationPolicy, preconditions: { uid: node.uid } };
    await this.#options.client.delete(this.#target(node), options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }

  async #orphan(node: GraphNode) {
    await Promise.all(
      this.#graph.dependents(node.uid).map((one) =>
        this.#unlink(
          one,
          one.owners.filter(({ uid }) => uid === node.uid),
        ),
      ),
    );
    await this.#release(node, orphanFinalizer);
  }

  async #foreground(node: GraphNode) {
    const dependents = this.#graph.dependents(node.uid);
    for (const one of dependents) if (!one.deleting) this.#queue.add(one.uid);
    if (blocking(node.uid, dependents).length > 0) return this.#queue.addAfter(node.uid, againMs);
    await this.#release(node, foregroundFinalizer);
  }
}

/** Resolves once every kind has been read whole. */
export async function startGarbageCollector(options: ControllersOptions): Promise<void> {
  await new GarbageCollector(options).start();
}
