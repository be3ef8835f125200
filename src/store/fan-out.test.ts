import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FanOut } from "./fan-out.ts";
import type { StoreEvent } from "./store.ts";

const event = (key: string, revision: number): StoreEvent => ({
  type: "create",
  key,
  value: new Uint8Array(),
  revision,
});

test("everybody hears what begins with their prefix, in order, until they stop", () => {
  const part = fc.constantFrom("a", "b", "ab", "abc");
  const key = fc.tuple(part, part, part).map((parts) => parts.join("/"));
  const prefix = fc.oneof(
    fc.constant(""),
    fc.tuple(key, fc.nat(12)).map(([whole, length]) => {
      return whole.slice(0, Math.max(length, whole.indexOf("/") + 1));
    }),
  );
  const step = fc.record({ follow: fc.option(prefix), stop: fc.nat(20), keys: fc.array(key) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const fanOut = new FanOut();
      const followers: { prefix: string; heard: number[]; due: number[]; stop?: () => void }[] = [];
      let revision = 0;
      for (const { follow, stop, keys } of steps) {
        if (follow !== null) {
          const follower: (typeof followers)[number] = { prefix: follow, heard: [], due: [] };
          follower.stop = fanOut.subscribe(follow, (events) => {
            follower.heard.push(...events.map((one) => one.revision));
          });
          followers.push(follower);
        }
        const ending = followers[stop];
        ending?.stop?.();
        delete ending?.stop;
        const events = keys.map((one) => event(one, ++revision));
        for (const { prefix: own, due, stop: goesOn } of followers) {
          const seen = events.filter((one) => one.key.startsWith(own));
          if (goesOn) due.push(...seen.map((one) => one.revision));
        }
        fanOut.publish(events);
      }
      for (const { heard, due } of followers) assert.deepEqual(heard, due);
    }),
  );
});

test("one listener that follows twice hears twice, and once after it stopped once", () => {
  const fanOut = new FanOut();
  let heard = 0;
  const listener = () => void heard++;
  const stop = fanOut.subscribe("pods/", listener);
  fanOut.subscribe("pods/", listener);
  fanOut.publish([event("pods/a/b", 1)]);
  stop();
  stop();
  fanOut.publish([event("pods/a/c", 2)]);
  assert.equal(heard, 3);
});
