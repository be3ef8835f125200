// What every store must do. A backend passes by handing this suite a way to make one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { queuedEventsMax } from "../../src/store/log-watch.ts";
import { Compacted, KeyExists, RevisionMismatch, WatcherTooSlow } from "../../src/store/store.ts";
import type { Body, Store, StoreEvent, Watch } from "../../src/store/store.ts";

export const body = (value: unknown): Body => ({
  bytes: Buffer.from(`{"metadata":{"name":"x"},"data":${JSON.stringify(value)}}`),
  revisionAt: `{"metadata":{`.length,
});
export const read = (value: Uint8Array) => JSON.parse(Buffer.from(value).toString());

async function take(watch: Watch, count: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of watch) {
    events.push(...batch);
    if (events.length >= count) break;
  }
  return events;
}

export function storeSuite(name: string, open: () => Promise<Store>) {
  describe(name, () => {
    let store: Store;
    before(async () => (store = await open()));
    after(() => store.close());
    const put = (key: string, value: unknown = 0) => store.create(key, body(value));

    test("a created key is read back with its revision inside", async () => {
      const entry = await put("a/one", 1);
      assert.equal(entry.revision, store.revision());
      assert.deepEqual(await store.get("a/one"), entry);
      assert.equal(read(entry.value).metadata.resourceVersion, String(entry.revision));
      assert.equal(await store.get("a/none"), undefined);
    });

    test("a key is created once, even by writers at the same time", async () => {
      const results = await Promise.allSettled([put("b/x"), put("b/x"), put("b/x")]);
      assert.equal(results.filter((r) => r.status === "fulfilled").length, 1);
      for (const r of results)
        if (r.status === "rejected") assert.ok(r.reason instanceof KeyExists);
    });

    test("a guard lets one of two writers through and shows the other what it lost to", async () => {
      const { revision } = await put("c/x", 0);
      const writes = [1, 2].map((n) => store.update("c/x", revision, body(n)));
      const results = await Promise.allSettled(writes);
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      const loser = results[1 - winner]!;
      assert.ok(loser.status === "rejected" && loser.reason instanceof RevisionMismatch);
      assert.equal(read(loser.reason.current!.value).data, winner + 1);
      await assert.rejects(store.delete("c/none", 1, body(0)), RevisionMismatch);
    });

    test("a list is in order, pages, and knows what remains", async () => {
      for (const key of ["d/c", "d/a", "d/b", "d/e", "d/d", "dd/x"]) await put(key);
      const first = await store.list("d/", { limit: 2 });
      assert.deepEqual(
        first.entries.map((e) => e.key),
        ["d/a", "d/b"],
      );
      assert.equal(first.remaining, 3);
      const rest = await store.list("d/", { after: first.next! });
      assert.deepEqual(
        rest.entries.map((e) => e.key),
        ["d/c", "d/d", "d/e"],
      );
      assert.equal(rest.next, undefined);
    });

    test("a page of the past is not touched by later writes", async () => {
      for (const key of ["e/a", "e/b", "e/c"]) await put(key, "old");
      const { revision, next } = await store.list("e/", { limit: 1 });
      const b = (await store.get("e/b"))!;
      const c = (await store.get("e/c"))!;
      await store.update("e/b", b.revision, body("new"));
      await store.delete("e/c", c.revision, body("old"));
      await put("e/bb");
      const page = await store.list("e/", { revision, after: next! });
      assert.deepEqual(
        page.entries.map((e) => [e.key, read(e.value).data]),
        [
          ["e/b", "old"],
          ["e/c", "old"],
        ],
      );
      assert.deepEqual(
        (await store.list("e/")).entries.map((e) => e.key),
        ["e/a", "e/b", "e/bb"],
      );
    });

    test("a watch replays the past and goes on live, each change once and in order", async () => {
      const start = store.revision();
      const a = await put("f/a", 1);
      const watch = store.watch("f/", { after: start });
      const events = take(watch, 4);
      const b = await store.update("f/a", a.revision, body(2));
      await put("other/x");
      const [c] = await Promise.all([put("f/b"), store.delete("f/a", b.revision, body(2))]);
      const seen = await events;
      assert.deepEqual(seen.map((e) => [e.type, e.key]).sort(), [
        ["create", "f/a"],
        ["create", "f/b"],
        ["delete", "f/a"],
        ["update", "f/a"],
      ]);
      const revisions = seen.map((e) => e.revision);
      assert.deepEqual(
        revisions,
        [...revisions].sort((x, y) => x - y),
      );
      assert.equal(read(seen[1]!.previous!).data, 1);
      assert.ok(c.revision > b.revision);
      assert.equal(read(seen.find((e) => e.type === "delete")!.value).data, 2);
    });

    test("a subscriber is told after the write is readable", async () => {
      const seen: unknown[] = [];
      const stop = store.subscribe("g/", (events) => {
        for (const e of events) seen.push(e.revision <= store.revision());
      });
      await put("g/a");
      stop();
      await put("g/b");
      assert.deepEqual(seen, [true]);
    });

    test("nobody sees a write before it is acknowledged", async () => {
      const acknowledged = new Map<string, number>();
      let writing = true;
      const write = async (key: string) => {
        let { revision } = await put(key);
        acknowledged.set(key, revision);
        for (let i = 0; i < 10; i++) {
          ({ revision } = await store.update(key, revision, body(i)));
          acknowledged.set(key, revision);
        }
      };
      const keys = Array.from({ length: 50 }, (_, i) => `n/${i}`);
      const written = Promise.all(keys.map(write)).then(() => (writing = false));
      while (writing) {
        const page = await store.list("n/", { limit: 20 });
        for (const { key, revision } of page.entries) {
          assert.ok(revision <= page.revision, `${key} is newer than its list`);
          assert.ok(revision >= (acknowledged.get(key) ?? 0), `${key} is older than told`);
        }
        assert.ok(page.entries.length + page.remaining >= acknowledged.size);
        assert.ok(((await store.get("n/7"))?.revision ?? 0) <= store.revision());
        await setImmediate();
      }
      await written;
    });

    test("compaction keeps the present and refuses the past", async () => {
      const old = await put("h/a", 1);
      const now = await store.update("h/a", old.revision, body(2));
      await put("h/gone").then((e) => store.delete("h/gone", e.revision, body(0)));
      await store.compact(store.revision());
      assert.deepEqual(await store.get("h/a"), now);
      assert.deepEqual(
        (await store.list("h/")).entries.map((e) => e.key),
        ["h/a"],
      );
      await assert.rejects(async () => store.list("h/", { revision: old.revision }), Compacted);
      assert.throws(() => store.watch("h/", { after: old.revision }), Compacted);
      const after = store.revision();
      const watch = store.watch("h/", { after });
      const next = take(watch, 1);
      await store.update("h/a", now.revision, body(3));
      assert.equal(read((await next)[0]!.previous!).data, 2);
    });

    test("a watcher that does not read is dropped, and others go on", async () => {
      const slow = store.watch("w/", { after: store.revision() });
      const writes = Array.from({ length: queuedEventsMax + 1 }, (_, i) => put(`w/${i}`));
      await Promise.all(writes);
      await assert.rejects(async () => {
        for await (const _ of slow);
      }, WatcherTooSlow);
    });

    test("a watch ends when it is closed or its signal aborts, and can wait for the future", async () => {
      const controller = new AbortController();
      const ended = take(
        store.watch("x/", { after: store.revision(), signal: controller.signal }),
        9,
      );
      controller.abort();
      assert.deepEqual(await ended, []);
      const closed = store.watch("x/", { after: store.revision() });
      closed.close();
      assert.deepEqual(await take(closed, 1), []);
      const future = take(store.watch("x/", { after: store.revision() + 2 }), 1);
      for (const key of ["x/a", "x/b", "x/c"]) await put(key);
      assert.deepEqual(
        (await future).map((event) => event.key),
        ["x/c"],
      );
    });

    test("a volatile key behaves like any other", async () => {
      const a = await store.create("v/a", body(1), { volatile: true });
      const b = await store.update("v/a", a.revision, body(2), { volatile: true });
      assert.equal(b.revision, a.revision + 1);
      assert.deepEqual((await store.list("v/")).entries, [b]);
      await store.delete("v/a", b.revision, body(2));
      assert.equal(await store.get("v/a"), undefined);
    });
  });
}
