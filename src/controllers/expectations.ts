// Protection against doubles. A controller that names its pods by chance must not create a second
// one because its cache has not heard of the first. What it wrote is remembered until the cache
// shows it; until then its owner's key is left alone. Nothing counts events: the cache is asked.
import type { Informer } from "../client/informer.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Clock } from "../lib/clock.ts";
import { perContext } from "./per-context.ts";
import type { Key } from "./runtime.ts";

/** An object that came and went between two looks is never seen; waiting for it ends after this. */
const waitMsMax = 30_000;

interface Expected {
  uid: string;
  name: string;
  namespace: string | undefined;
  until: number;
  created: boolean;
}

export class Expectations {
  readonly #clock: Clock;
  readonly #expected = new Map<Key, Expected[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `object` was created for `key`. */
  created(key: Key, object: KubeObject) {
    this.#add(key, object, true);
  }

  /** `object` was deleted for `key`. */
  deleted(key: Key, object: KubeObject) {
    this.#add(key, object, false);
  }

  /** Does the cache show everything that was written for `key`? */
  met(key: Key, informer: Informer): boolean {
    const now = this.#clock.monotonic();
    const open = (this.#expected.get(key) ?? []).filter((expected) => {
      if (now >= expected.until) return false;
      const seen = informer.get(expected.name, expected.namespace);
      if (expected.created) return seen === undefined;
      return seen?.metadata.uid === expected.uid && !seen.metadata.deletionTimestamp;
    });
    if (open.length > 0) this.#expected.set(key, open);
    else this.#expected.delete(key);
    return open.length === 0;
  }

  forget(key: Key) {
    this.#expected.delete(key);
  }

  #add(key: Key, { metadata }: KubeObject, created: boolean) {
    const { uid, name, namespace } = metadata;
    const until = this.#clock.monotonic() + waitMsMax;
    const expected = { uid, name, namespace, until, created };
    const known = this.#expected.get(key);
    if (known) known.push(expected);
    else this.#expected.set(key, [expected]);
  }
}

/** The expectations of the controller this context belongs to. */
export const expectationsOf = perContext(({ clock }) => new Expectations(clock));
