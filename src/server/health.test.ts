import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import type { Log } from "../lib/log.ts";
import { MemoryBackend } from "../store/memory.ts";
import { LogStore } from "../store/log-store.ts";
import { StoreFull } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import { Health } from "./health.ts";
import type { ApiRequest } from "./request.ts";
import { startListener } from "./test-listener.ts";

const { scope, server, ask2 } = await startListener();
after(() => scope.close());

const stop = new AbortController();
const clock = new FakeClock();
const body = { bytes: Buffer.from('{"metadata":{}}'), revisionAt: 12 };

/** A store whose disk fills up and gets room again. */
class Disk extends MemoryBackend {
  full = false;
  override commit(commit: Parameters<MemoryBackend["commit"]>[0]) {
    return this.full ? Promise.reject(new StoreFull(new Error("ENOSPC"))) : super.commit(commit);
  }
}

function healthOver(store: Store, log: Log = silent) {
  const health = new Health({ store, signal: stop.signal, clock, log });
  return async (path: string) => {
    const { pathname, searchParams: query } = new URL(path, "http://server");
    const segments = pathname.split("/").filter(Boolean);
    const answer = await health.answer(segments, { query } as ApiRequest);
    return answer && { code: answer.code, text: String((answer as any).bytes) };
  };
}

test("each check is told by name, and those that decide about traffic to readyz alone", async () => {
  assert.equal((await ask2("/readyz")).text, "ok");
  assert.deepEqual((await ask2("/readyz?verbose")).text.split("\n"), [
    "[+]ping ok",
    "[+]etcd ok",
    "[+]etcd-readiness ok",
    "[+]shutdown ok",
    "readyz check passed",
    "",
  ]);
  assert.equal((await ask2("/livez?verbose")).text, "[+]ping ok\n[+]etcd ok\nlivez check passed\n");
  assert.equal((await ask2("/livez/etcd")).text, "ok");
  assert.equal((await ask2("/livez/etcd-readiness")).code, 404);
  assert.equal((await ask2("/readyz/nothing")).code, 404);
});

test("a check can be left out, and one that is not there is named", async () => {
  const { text } = await ask2("/livez?verbose&exclude=etcd&exclude=coffee");
  assert.match(text, /^\[\+\]etcd excluded: ok$/m);
  assert.match(text, /^warn: some health checks cannot be excluded: no matches for "coffee"$/m);
});

test("a part of the start is waited for, and one that failed stays so", async () => {
  let finish = () => {};
  const starting = server.health.hook("a", new Promise<void>((done) => (finish = done)));
  const failing = server.health.hook("b", Promise.reject(new Error("no such table")));
  await assert.rejects(failing, /no such table/);
  const before = (await ask2("/livez")).text;
  assert.match(before, /^\[-\]poststarthook\/a failed: reason withheld$/m);
  assert.match(before, /^livez check failed$/m);
  finish();
  await starting;
  assert.match((await ask2("/livez")).text, /^\[\+\]poststarthook\/a ok$/m);
  const asked = await ask2("/livez/poststarthook/b");
  assert.deepEqual(
    [asked.code, asked.text],
    [500, "internal server error: Error: no such table\n"],
  );
});

test("a store that keeps no writes is not ready, until it keeps them again", async () => {
  const disk = new Disk();
  const told: unknown[] = [];
  const log = { ...silent, warn: (_: string, fields?: object) => void told.push(fields) };
  const store = new LogStore({ durable: disk, revision: 0 });
  const ask = healthOver(store, log);
  disk.full = true;
  await assert.rejects(store.create("pods/a/b", body), StoreFull);
  const sick = await ask("/readyz");
  assert.equal(sick?.code, 500);
  assert.match(sick.text, /^\[-\]etcd-readiness failed: reason withheld$/m);
  assert.deepEqual(told, [
    {
      endpoint: "readyz",
      failed: ["etcd-readiness: Error: the store's disk is full: ENOSPC"],
    },
  ]);
  assert.equal((await ask("/livez"))?.code, 200, "a restart makes no room");
  assert.equal((await ask("/readyz?exclude=etcd-readiness"))?.code, 200);
  disk.full = false;
  assert.equal((await ask("/readyz"))?.code, 200);
});

test("a disk that answers nobody fails in time, for all who ask", async () => {
  const disk = new MemoryBackend();
  disk.commit = () => new Promise(() => {});
  const store = new LogStore({ durable: disk, revision: 0 });
  void store.create("pods/a/b", body);
  await new Promise(setImmediate);
  const ask = healthOver(store);
  const asked = [ask("/readyz"), ask("/readyz/etcd-readiness")];
  await clock.advance(2000);
  const [sum, one] = await Promise.all(asked);
  assert.equal(sum?.code, 500);
  assert.match(one!.text, /no answer within 2000 ms/);
});

test("a store that is closed fails both", async () => {
  const store = new LogStore({ durable: new MemoryBackend(), revision: 0 });
  await store.close();
  const ask = healthOver(store);
  assert.match((await ask("/livez"))!.text, /^\[-\]etcd failed/m);
  assert.match((await ask("/readyz"))!.text, /^\[-\]etcd-readiness failed/m);
});
