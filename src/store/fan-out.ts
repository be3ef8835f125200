// Who is told of changes. Listeners are kept by the prefix they follow, and a change looks up its own prefixes of
// the lengths that somebody follows, so it costs nothing to those who follow others, however many they are.
import { resourceOf } from "./keys.ts";
import type { StoreEvent } from "./store.ts";

type Listener = (events: StoreEvent[]) => void;
interface Subscription {
  prefix: string;
  listener: Listener;
}

/** Those who follow one resource, or parts of it. */
class Followers {
  readonly #byPrefix = new Map<string, Set<Subscription>>();
  /** How many prefixes there are of a length. */
  readonly #lengths = new Map<number, number>();

  get isEmpty() {
    return this.#byPrefix.size === 0;
  }

  add(subscription: Subscription) {
    const { prefix } = subscription;
    const known = this.#byPrefix.get(prefix);
    if (known) return void known.add(subscription);
    this.#byPrefix.set(prefix, new Set([subscription]));
    this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
  }

  remove(subscription: Subscription) {
    const { prefix } = subscription;
    const known = this.#byPrefix.get(prefix);
    if (!known?.delete(subscription) || known.size > 0) return;
    this.#byPrefix.delete(prefix);
    const left = this.#lengths.get(prefix.length)! - 1;
    if (left > 0) this.#lengths.set(prefix.length, left);
    else this.#lengths.delete(prefix.length);
  }

  tell(events: StoreEvent[]) {
    const heard = new Map<string, StoreEvent[]>();
    for (const event of events) {
      for (const length of this.#lengths.keys()) {
        const prefix = event.key.slice(0, length);
        if (prefix.length < length || !this.#byPrefix.has(prefix)) continue;
        const known = heard.get(prefix);
        if (known) known.push(event);
        else heard.set(prefix, [event]);
      }
    }
    for (const [prefix, seen] of heard) {
      for (const { listener } of Array.from(this.#byPrefix.get(prefix) ?? [])) listener(seen);
    }
  }
}

export class FanOut {
  readonly #byResource = new Map<string, Followers>();

  subscribe(prefix: string, listener: Listener): () => void {
    const resource = resourceOf(prefix);
    const followers = this.#byResource.get(resource) ?? new Followers();
    this.#byResource.set(resource, followers);
    const subscription = { prefix, listener };
    followers.add(subscription);
    return () => {
      followers.remove(subscription);
      if (followers.isEmpty && this.#byResource.get(resource) === followers) {
        this.#byResource.delete(resource);
      }
    };
  }

  publish(events: StoreEvent[]) {
    this.#byResource.get("")?.tell(events);
    for (const [resource, ofResource] of groupByResource(events)) {
      this.#byResource.get(resource)?.tell(ofResource);
    }
  }
}

function groupByResource(events: StoreEvent[]): Map<string, StoreEvent[]> {
  const groups = new Map<string, StoreEvent[]>();
  for (const event of events) {
    const resource = resourceOf(event.key);
    const group = groups.get(resource);
    if (group) group.push(event);
    else groups.set(resource, [event]);
  }
  return groups;
}
