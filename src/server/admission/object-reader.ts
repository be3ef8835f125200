// How plugins see the cluster: the newest acknowledged state. What was read is kept until the store tells of a
// change to it, which it does before the writer hears of it, so that a create does not pay for the questions
// that every create asks (the namespace, its account, its limits).
import type { KubeObject } from "../../kinds/object.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Store, StoreEvent } from "../../store/store.ts";

export interface ObjectReader {
  /** By store key, `pods/default/web-1`. Shared: never change the result. */
  get(key: string): Promise<KubeObject | undefined>;
  /** Everything under a prefix, `limitranges/default/`. */
  list(prefix: string): Promise<KubeObject[]>;
}

/** Answers kept for one resource; when it has more they are all forgotten. */
const answersMax = 1000;

/** The answers about one resource: by key and by prefix. */
class Answers {
  readonly #objects = new Map<string, KubeObject | undefined>();
  readonly #lists = new Map<string, KubeObject[]>();
  /** Counts the changes, so that an answer on its way when one comes is not kept. */
  #changes = 0;

  forget(events: StoreEvent[]) {
    this.#changes++;
    for (const { key } of events) {
      this.#objects.delete(key);
      for (const prefix of this.#lists.keys())
        if (key.startsWith(prefix)) this.#lists.delete(prefix);
    }
  }

  object(key: string, ask: () => Promise<KubeObject | undefined>) {
    return this.#answer(this.#objects, key, ask);
  }

  list(prefix: string, ask: () => Promise<KubeObject[]>) {
    return this.#answer(this.#lists, prefix, ask);
  }

  async #answer<T>(known: Map<string, T>, question: string, ask: () => Promise<T>): Promise<T> {
    if (known.has(question)) return known.get(question)!;
    const before = this.#changes;
    const answer = await ask();
    if (before !== this.#changes) return answer;
    if (known.size >= answersMax) known.clear();
    known.set(question, answer);
    return answer;
  }
}

export function objectReader(store: Store): ObjectReader {
  const byResource = new Map<string, Answers>();
  const answersOf = (key: string) => {
    const resource = key.slice(0, key.indexOf("/") + 1);
    let answers = byResource.get(resource);
    if (!answers) {
      const fresh = new Answers();
      byResource.set(resource, (answers = fresh));
      store.subscribe(resource, (events) => fresh.forget(events));
    }
    return answers;
  };
  return {
    get: (key) =>
      answersOf(key).object(key, async () => {
        const entry = await store.get(key);
        return entry && parseShared<KubeObject>(entry.value);
      }),
    list: (prefix) =>
      answersOf(prefix).list(prefix, async () => {
        const { entries } = await store.list(prefix);
        return entries.map(({ value }) => parseShared<KubeObject>(value));
      }),
  };
}
