// The objects pods refer to, from informers: a lookup costs nothing, and a change wakes whoever uses it.
import { resource } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { Informers } from "../client/informers.ts";
import type { KubeObject } from "../kinds/object.ts";

export type ObjectKind = "configmap" | "secret";

export interface Objects {
  /** Resolves once what the pod names can be looked up. */
  follow(pod: KubeObject): Promise<void>;
  /** The pod with this uid is gone. */
  forget(uid: string): void;
  configMap(namespace: string, name: string): KubeObject | undefined;
  secret(namespace: string, name: string): KubeObject | undefined;
  runtimeClass(name: string): KubeObject | undefined;
  /** Services of a namespace. */
  services(namespace: string): KubeObject[];
  /** Calls back with what changed. Returns its stop. */
  onChange(listener: (kind: ObjectKind, namespace: string, name: string) => void): () => void;
}

export async function informerObjects(informers: Informers): Promise<Objects> {
  const configMaps = informers.get({ resource: resource("v1", "configmaps") });
  const secrets = informers.get({ resource: resource("v1", "secrets") });
  const services = informers.get({ resource: resource("v1", "services") });
  const runtimeClasses = informers.get({ resource: resource("node.k8s.io/v1", "runtimeclasses") });
  const all = [configMaps, secrets, services, runtimeClasses];
  await Promise.all(all.map((informer) => informer.synced()));
  const tell = (
    informer: Informer,
    kind: ObjectKind,
    listener: (kind: ObjectKind, namespace: string, name: string) => void,
  ) => {
    const changed = ({ metadata }: KubeObject) =>
      listener(kind, metadata.namespace ?? "", metadata.name);
    return informer.subscribe({ onAdd: changed, onUpdate: changed, onDelete: changed });
  };
  return {
    follow: async () => {},
    forget: () => {},
    configMap: (namespace, name) => configMaps.get(name, namespace),
    secret: (namespace, name) => secrets.get(name, namespace),
    runtimeClass: (name) => runtimeClasses.get(name),
    services: (namespace) => services.list(namespace),
    onChange(listener) {
      const stops = [tell(configMaps, "configmap", listener), tell(secrets, "secret", listener)];
      return () => stops.forEach((stop) => stop());
    },
  };
}
