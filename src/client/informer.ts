// A cache of one resource, kept true by list and watch. Objects in it are shared: never change one.
import type { KubeObject } from "../kinds/object.ts";

export interface InformerEvents {
  onAdd?: (object: KubeObject) => void;
  onUpdate?: (object: KubeObject, previous: KubeObject) => void;
  onDelete?: (object: KubeObject) => void;
}

export interface Informer<T extends KubeObject = KubeObject> {
  /** Resolves once the first list is complete. */
  synced(): Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  /** All of a namespace, or all. */
  list(namespace?: string): T[];
  /** Objects whose index function `name` gave `value`; see `addIndex`. */
  byIndex(name: string, value: string): T[];
  addIndex(name: string, values: (object: T) => string[]): void;
  /** Existing objects are told as adds. Returns its stop. */
  subscribe(events: InformerEvents): () => void;
}
