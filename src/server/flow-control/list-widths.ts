// How many seats a list takes: it keeps the server busy for as long as there are objects to look at. What there
// are is counted now and then, and never while somebody waits.
import type { Clock } from "../../lib/clock.ts";
import type { Store } from "../../store/store.ts";
import type { Attributes } from "../policy.ts";

/** As upstream. */
const objectsPerSeat = 100;
const widthMax = 10;
const countAgainMs = 10_000;
/** Kinds that are counted; there are about a hundred and those of definitions. */
const countsMax = 2000;

/** Seats for a list that looks at so many objects. Pure. */
export const widthOf = (objects: number) =>
  Math.min(Math.max(Math.ceil(objects / objectsPerSeat), 1), widthMax);

interface Counted {
  objects: number;
  atMs: number;
}

export class ListWidths {
  readonly #store: Pick<Store, "list">;
  readonly #clock: Clock;
  readonly #counted = new Map<string, Counted>();

  constructor(store: Pick<Store, "list">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A list that has not been seen before takes one seat. */
  of({ group, resource, namespace }: Attributes, query: URLSearchParams): number {
    const prefix = `${group ? `${resource}.${group}` : resource}/${namespace ? `${namespace}/` : ""}`;
    const known = this.#counted.get(prefix);
    const now = this.#clock.monotonic();
    if (!known || now - known.atMs >= countAgainMs) this.#count(prefix, known?.objects ?? 0, now);
    const objects = known?.objects ?? 0;
    const limit = Number(query.get("limit") ?? 0);
    const filters = query.get("labelSelector") || query.get("fieldSelector");
    // With a selector, all may have to be looked at for a page of a few.
    return widthOf(limit > 0 && !filters ? Math.min(objects, limit) : objects);
  }

  #count(prefix: string, objects: number, atMs: number) {
    if (this.#counted.size >= countsMax) this.#counted.clear();
    this.#counted.set(prefix, { objects, atMs });
    const count = async () => {
      const { entries, remaining } = await this.#store.list(prefix, { limit: 1 });
      this.#counted.set(prefix, { objects: entries.length + remaining, atMs });
    };
    // A store that does not answer says so to the list itself.
    count().catch(() => {});
  }
}
