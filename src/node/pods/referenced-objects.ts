// The objects that this node's pods name, and no others: what a node that is not the server may read. Each is
// watched by its name for as long as a pod here names it.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import { createInformer } from "../../client/informer.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { podReferences } from "../../kinds/pod-references.ts";
import { Scope } from "../../lib/scope.ts";
import type { ObjectKind, Objects } from "../objects.ts";

const watched: Record<string, ObjectKind> = { configmaps: "configmap", secrets: "secret" };

interface Followed {
  informer: Informer;
  scope: Scope;
  /** Uids of the pods that name it. */
  pods: Set<string>;
}

interface Parts {
  client: Client;
  /** For what every node may read whole. */
  informers: Informers;
  clock: Clock;
  log: Log;
  scope: Scope;
}

type Listener = (kind: ObjectKind, namespace: string, name: string) => void;

class ReferencedObjects implements Objects {
  readonly #parts: Parts;
  readonly #followed = new Map<string, Followed>();
  readonly #listeners = new Set<Listener>();
  readonly #services: Informer;
  readonly #runtimeClasses: Informer;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#services = parts.informers.get({ resource: resource("v1", "services") });
    this.#runtimeClasses = parts.informers.get({
      resource: resource("node.k8s.io/v1", "runtimeclasses"),
    });
  }

  synced() {
    return Promise.all([this.#services.synced(), this.#runtimeClasses.synced()]);
  }

  async follow(pod: KubeObject) {
    const { namespace = "", uid } = pod.metadata;
    const keys = [...podReferences(pod)].filter((key) => watched[key.split("/")[0]!]);
    const known = keys.map((key) => this.#follow(namespace, key));
    for (const one of known) one.pods.add(uid);
    await Promise.all(known.map(({ informer }) => informer.synced()));
  }

  forget(uid: string) {
    for (const [key, { pods, scope }] of this.#followed) {
      if (!pods.delete(uid) || pods.size > 0) continue;
      this.#followed.delete(key);
      void scope.close();
    }
  }

  readonly configMap = (namespace: string, name: string) =>
    this.#find("configmaps", namespace, name);

  readonly secret = (namespace: string, name: string) => this.#find("secrets", namespace, name);

  runtimeClass(name: string) {
    return this.#runtimeClasses.get(name);
  }

  services(namespace: string) {
    return this.#services.list(namespace);
  }

  onChange(listener: Listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #find(plural: string, namespace: string, name: string) {
    return this.#followed.get(`${namespace}/${plural}/${name}`)?.informer.get(name, namespace);
  }

  #follow(namespace: string, key: string): Followed {
    const id = `${namespace}/${key}`;
    const known = this.#followed.get(id);
    if (known) return known;
    const [plural, name] = key.split("/") as [string, string];
    const { client, clock, log, scope: owner } = this.#parts;
    const scope = owner.child();
    const informer = createInformer({
      client,
      resource: resource("v1", plural),
      namespace,
      fieldSelector: `metadata.name=${name}`,
      clock,
      log,
      scope,
    });
    const changed = () => {
      for (const listener of this.#listeners) listener(watched[plural]!, namespace, name);
    };
    informer.subscribe({ onAdd: changed, onUpdate: changed, onDelete: changed });
    const followed = { informer, scope, pods: new Set<string>() };
    this.#followed.set(id, followed);
    return followed;
  }
}

/** Resolves once what is read whole is here. */
export async function referencedObjects(parts: Parts): Promise<Objects> {
  const objects = new ReferencedObjects(parts);
  await objects.synced();
  return objects;
}
