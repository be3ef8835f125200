import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { openEtcdStore } from "../../src/store/etcd/etcd-store.ts";
import { Compacted, RevisionMismatch } from "../../src/store/store.ts";
import type { Store, StoreEvent } from "../../src/store/store.ts";
import { run } from "../support/command.ts";
import { startEtcd } from "../support/etcd.ts";
import type { Etcd } from "../support/etcd.ts";
import { body, read, storeSuite } from "./store.ts";

let etcd: Etcd;
before(async () => void (etcd = await startEtcd()));
after(() => etcd.stop());

const open = (prefix: string) =>
  openEtcdStore({
    address: `etcd://${etcd.endpoint}/${prefix}`,
    clock: systemClock,
    random: systemRandom,
    log: silent,
  });

storeSuite("etcd", () => open("suite"));

/** Everything told under a prefix from `after` on, as it comes. */
function record(store: Store, prefix: string, after: number) {
  const seen: StoreEvent[] = [];
  const watch = store.watch(prefix, { after });
  const done = (async () => {
    for await (const batch of watch) seen.push(...batch);
  })();
  return { seen, end: () => (watch.close(), done) };
}

const until = async (isTrue: () => boolean | Promise<boolean>) => {
  for (let tries = 0; !(await isTrue()); tries++) {
    if (tries > 12_000) throw new Error("it did not happen");
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
  }
};

const line = ({ type, key, revision }: StoreEvent) => `${revision} ${type} ${key}`;

const etcdctl = (...args: string[]) =>
  run("etcdctl", ["--endpoints", etcd.endpoint, ...args], { env: { ETCDCTL_API: "3" } });

describe("several servers on one etcd", () => {
  test("what one wrote the other reads at once, and all are told the same in the same order", async () => {
    const [one, two] = [await open("shared"), await open("shared")];
    const records = [one, two].map((store) => record(store, "a/", store.revision()));
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const [writer, reader] = i % 2 ? [one, two] : [two, one];
        const created = await writer.create(`a/${i}`, body(i));
        const found = (await reader.get(`a/${i}`))!;
        assert.equal(found.revision, created.revision);
        const updated = await reader.update(`a/${i}`, found.revision, body(-i));
        await writer.delete(`a/${i}`, updated.revision, body("last"));
        assert.equal(await reader.get(`a/${i}`), undefined);
      }),
    );
    await until(() => records.every(({ seen }) => seen.length === 120));
    assert.deepEqual(records[0]!.seen.map(line), records[1]!.seen.map(line));
    const last = records[1]!.seen.findLast(({ type }) => type === "delete")!;
    assert.equal(read(last.value).data, "last");
    assert.equal(read(last.value).metadata.resourceVersion, String(last.revision));
    for (const { end } of records) await end();
    await Promise.all([one.close(), two.close()]);
  });

  test("of many writers on several servers one gets through", async () => {
    const stores = await Promise.all([open("race"), open("race"), open("race")]);
    const { revision } = await stores[0]!.create("a/x", body(0));
    const results = await Promise.allSettled(
      stores.flatMap((store) => [1, 2, 3].map((n) => store.update("a/x", revision, body(n)))),
    );
    const won = results.filter((result) => result.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of results) {
      if (result.status === "rejected") assert.ok(result.reason instanceof RevisionMismatch);
    }
    for (const store of stores) await store.close();
  });

  test("a watcher goes on at a server that started later", async () => {
    const one = await open("later");
    const start = one.revision();
    for (let i = 0; i < 10; i++) await one.create(`a/${i}`, body(i));
    const two = await open("later");
    const { seen, end } = record(two, "a/", start);
    await until(() => seen.length === 10);
    await end();
    await Promise.all([one.close(), two.close()]);
  });
});

describe("an etcd that goes away", () => {
  test("a write whose answer was lost is done once and told truly", async () => {
    const [store, other] = [await open("doubt"), await open("doubt")];
    const { seen, end } = record(other, "a/", other.revision());
    let writing = true;
    const acknowledged: string[] = [];
    const write = async (writer: number) => {
      let entry = await store.create(`a/${writer}`, body(0));
      acknowledged.push(`${entry.revision}`);
      while (writing) {
        entry = await store.update(entry.key, entry.revision, body(entry.revision));
        acknowledged.push(`${entry.revision}`);
      }
    };
    // Each writer is alone on its key: a guard that fails would mean that a write was done and not told.
    const writers = Promise.all(Array.from({ length: 8 }, (_, i) => write(i)));
    for (let kills = 0; kills < 4; kills++) {
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 40);
      await etcd.kill();
      await etcd.start();
    }
    writing = false;
    await writers;
    await until(() => seen.length === acknowledged.length);
    const revisions = seen.map(({ revision }) => `${revision}`);
    assert.deepEqual(
      revisions,
      acknowledged.toSorted((a, b) => Number(a) - Number(b)),
    );
    await end();
    await Promise.all([store.close(), other.close()]);
  });

  test("a server that was away too long reads everything anew, and its watchers list again", async () => {
    const [one, two] = [await open("away"), await open("away")];
    await one.create("a/stays", body(0));
    const goes = await one.create("a/goes", body(0));
    await two.get("a/goes");
    const watch = two.watch("a/", { after: two.revision() });
    const told: string[] = [];
    const stop = two.subscribe("a/", (events) =>
      told.push(...events.map(({ type, key }) => `${type} ${key}`)),
    );
    // What no server can follow change by change: several objects in one transaction.
    await one.delete(goes.key, goes.revision, body(1));
    await one.create("a/x", body(1));
    await one.create("a/y", body(1));
    await etcdctl("del", "--prefix", "/away/a/");
    await until(async () => (await two.list("a/")).entries.length === 0);
    const seen = (async () => {
      for await (const _ of watch);
    })();
    await assert.rejects(seen, Compacted);
    assert.deepEqual(told.slice(-3).toSorted(), ["delete a/stays", "delete a/x", "delete a/y"]);
    stop();
    await one.create("a/stays", body(2));
    assert.equal((await two.list("a/")).entries.length, 1);
    await Promise.all([one.close(), two.close()]);
  });

  test("what is no object is refused by name", async () => {
    await etcdctl("put", "/foreign/pods/x", "not json");
    await assert.rejects(open("foreign"), /\/foreign\/pods\/x does not hold an object/);
  });
});
