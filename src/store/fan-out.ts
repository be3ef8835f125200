// Who is told of changes. Listeners are kept by the resource they follow, so a change to one resource costs
// nothing to those who follow others.
import { resourceOf } from "./keys.ts";
import type { StoreEvent } from "./store.ts";

type Listener = (events: StoreEvent[]) => void;
interface Subscription {
  prefix: string;
  listener: Listener;
}

export class FanOut {
  readonly #byResource = new Map<string, Set<Subscription>>();

  subscribe(prefix: string, listener: Listener): () => void {
    const resource = resourceOf(prefix);
    const subscription = { prefix, listener };
    const set = this.#byResource.get(resource) ?? new Set();
    this.#byResource.set(resource, set.add(subscription));
    return () => {
      set.delete(subscription);
      if (set.size === 0) this.#byResource.delete(resource);
    };
  }

  publish(events: StoreEvent[]) {
    for (const { prefix, listener } of Array.from(this.#byResource.get("") ?? [])) {
      deliver(events, prefix, listener);
    }
    for (const [resource, ofResource] of groupByResource(events)) {
      for (const { prefix, listener } of Array.from(this.#byResource.get(resource) ?? [])) {
        deliver(ofResource, prefix, listener);
      }
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

function deliver(events: StoreEvent[], prefix: string, listener: Listener) {
  const whole = events.every((event) => event.key.startsWith(prefix));
  const seen = whole ? events : events.filter((event) => event.key.startsWith(prefix));
  if (seen.length > 0) listener(seen);
}
