import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { ListWidths, widthOf } from "./list-widths.ts";

const asked = {
  verb: "list",
  group: "apps",
  version: "v1",
  resource: "deployments",
  subresource: "",
  namespace: "shop",
  name: "",
  path: "",
};

test("a list takes a seat for a hundred objects, and ten at most", () => {
  assert.deepEqual([0, 1, 100, 101, 950, 5000].map(widthOf), [1, 1, 1, 2, 10, 10]);
});

test("objects are counted behind the first list, and again later", async () => {
  const clock = new FakeClock();
  let [objects, counts] = [450, 0];
  const store = {
    list: async (prefix: string) => {
      assert.equal(prefix, "deployments.apps/shop/");
      counts++;
      const entry = { key: "", value: new Uint8Array(), revision: 1 };
      return { entries: [entry], revision: 1, remaining: objects - 1 };
    },
  };
  const widths = new ListWidths(store, clock);
  const ask = (query: string) => widths.of(asked, new URLSearchParams(query));
  assert.equal(ask(""), 1);
  await Promise.resolve();
  assert.equal(ask(""), 5);
  assert.equal(ask("limit=150"), 2);
  assert.equal(ask("limit=150&labelSelector=a"), 5);
  assert.equal(counts, 1);
  objects = 50;
  await clock.advance(10_000);
  assert.equal(ask(""), 5);
  await Promise.resolve();
  assert.equal(ask(""), 1);
});
