// How plugins see the cluster: the newest acknowledged state, straight from the store.
import type { KubeObject } from "../../kinds/object.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Store } from "../../store/store.ts";

export interface ObjectReader {
  /** By store key, `pods/default/web-1`. Shared: never change the result. */
  get(key: string): Promise<KubeObject | undefined>;
  /** Everything under a prefix, `limitranges/default/`. */
  list(prefix: string): Promise<KubeObject[]>;
}

export const objectReader = (store: Store): ObjectReader => ({
  async get(key) {
    const entry = await store.get(key);
    return entry && parseShared<KubeObject>(entry.value);
  },
  async list(prefix) {
    const { entries } = await store.list(prefix);
    return entries.map(({ value }) => parseShared<KubeObject>(value));
  },
});
