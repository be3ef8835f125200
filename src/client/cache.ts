// The objects of an informer with their indexes.
import type { KubeObject } from "../kinds/object.ts";

const noObjects: never[] = [];

export const keyOf = (object: { metadata: { name: string; namespace?: string } }) =>
  object.metadata.namespace
    ? `${object.metadata.namespace}/${object.metadata.name}`
    : object.metadata.name;

interface Index {
  values: (object: any) => string[];
  objects: Map<string, Map<string, KubeObject>>;
}

export class Cache {
  readonly #objects = new Map<string, KubeObject>();
  readonly #indexes = new Map<string, Index>();

  constructor() {
    this.addIndex("namespace", (object) => [object.metadata.namespace ?? ""]);
  }

  get size() {
    return this.#objects.size;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  keys(): string[] {
    return [...this.#objects.keys()];
  }

  list(namespace?: string): KubeObject[] {
    return namespace === undefined
      ? [...this.#objects.values()]
      : this.byIndex("namespace", namespace);
  }

  byIndex(name: string, value: string): KubeObject[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`no index ${name}`);
    const found = index.objects.get(value);
    return found ? [...found.values()] : noObjects;
  }

  addIndex(name: string, values: (object: any) => string[]) {
    if (this.#indexes.has(name)) return;
    const index: Index = { values, objects: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) enter(index, key, object);
  }

  /** Puts or, with undefined, removes; returns what stood there before. */
  set(key: string, object: KubeObject | undefined): KubeObject | undefined {
    const previous = this.#objects.get(key);
    for (const index of this.#indexes.values()) {
      if (previous) leave(index, key, previous);
      if (object) enter(index, key, object);
    }
    if (object) this.#objects.set(key, object);
    else this.#objects.delete(key);
    return previous;
  }
}

function enter(index: Index, key: string, object: KubeObject) {
  for (const value of index.values(object)) {
    const bucket = index.objects.get(value) ?? new Map();
    index.objects.set(value, bucket.set(key, object));
  }
}

function leave(index: Index, key: string, object: KubeObject) {
  for (const value of index.values(object)) {
    const bucket = index.objects.get(value);
    bucket?.delete(key);
    if (bucket?.size === 0) index.objects.delete(value);
  }
}
