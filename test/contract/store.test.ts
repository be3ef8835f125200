import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { DataInUse } from "../../src/store/data-lock.ts";
import { compactionTarget, historyKeptMs, startCompaction } from "../../src/store/compaction.ts";
import { LmdbBackend } from "../../src/store/lmdb-backend.ts";
import { NewerData, openLmdbStore } from "../../src/store/lmdb.ts";
import { Compacted } from "../../src/store/store.ts";
import { memoryStore } from "../../src/store/memory.ts";
import { body, storeSuite } from "./store.ts";

const base = mkdtempSync(join(tmpdir(), "kerb-store-"));
after(() => rmSync(base, { recursive: true }));
const openAt = (name: string) =>
  openLmdbStore(join(base, name), { clock: new FakeClock(), log: silent });

storeSuite("memory", async () => memoryStore());
storeSuite("lmdb", () => openAt("suite"));

test("what was acknowledged is there after a restart, and revisions go on", async () => {
  const first = await openAt("again");
  const entry = await first.create("a/x", body(1));
  const lease = await first.create("l/x", body(2), { volatile: true });
  await first.close();
  const second = await openAt("again");
  assert.deepEqual(second.get("a/x"), { ...entry, value: Buffer.from(entry.value) });
  assert.equal((await second.get("l/x"))?.revision, lease.revision);
  assert.equal(second.revision(), lease.revision);
  assert.ok((await second.create("a/y", body(1))).revision > lease.revision);
  await second.close();
});

test("one key is listed by itself after a restart too", async () => {
  const first = await openAt("one");
  for (const key of ["o/a", "o/ab", "o/b"]) await first.create(key, body(1));
  await first.close();
  const second = await openAt("one");
  const keys = (await second.list("o/a")).entries.map(({ key }) => key);
  assert.deepEqual(keys, ["o/a", "o/ab"]);
  await second.close();
});

test("the volatile past begins at the start, the durable past goes on", async () => {
  const first = await openAt("past");
  const start = first.revision();
  await first.create("d/x", body(1));
  await first.create("l/x", body(2), { volatile: true });
  await first.close();
  const second = await openAt("past");
  for (const prefix of ["l/", ""]) {
    assert.throws(() => second.watch(prefix, { after: start }), Compacted);
    assert.throws(() => second.list(prefix, { revision: start }), Compacted);
  }
  const watch = second.watch("d/", { after: start });
  for await (const events of watch) {
    assert.deepEqual(
      events.map((event) => event.key),
      ["d/x"],
    );
    break;
  }
  await second.close();
});

test("data of a newer Kerb are refused, naming both formats", async () => {
  await (await openAt("newer")).close();
  const backend = new LmdbBackend(join(base, "newer"), 2 ** 20);
  await backend.setFormat(7);
  await backend.close();
  await assert.rejects(openAt("newer"), (error: Error) => {
    return error instanceof NewerData && /format 7.* up to 2/.test(error.message);
  });
});

test("history goes by age and by count", async () => {
  const clock = new FakeClock();
  const store = memoryStore();
  const stop = startCompaction(store, { clock, log: silent });
  const { revision } = await store.create("a/x", body(0));
  await clock.advance(historyKeptMs - 1000);
  assert.equal(store.compacted(), 0);
  await clock.advance(2 * historyKeptMs);
  assert.equal(store.compacted(), revision);
  assert.equal(compactionTarget(5, 1000, 100), 900);
  assert.equal(compactionTarget(950, 1000, 100), 950);
  stop();
});

test("one process per data directory", async () => {
  const store = await openAt("locked");
  await assert.rejects(openAt("locked"), DataInUse);
  await store.close();
  await (await openAt("locked")).close();
});

test("the data directory is held by what only its owner can open", async () => {
  const store = await openAt("held");
  const { ino } = statSync(join(base, "held"));
  assert.match(readFileSync("/proc/locks", "utf8"), new RegExp(`FLOCK .*:${ino} `));
  await store.close();
});

test("who was killed holds nothing", async () => {
  const directory = join(base, "killed");
  const writer = fileURLToPath(new URL("../crash/store-writer.ts", import.meta.url));
  const holder = spawn(process.execPath, [writer, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  await assert.rejects(openAt("killed"), DataInUse);
  holder.kill("SIGKILL");
  await once(holder, "close");
  await (await openAt("killed")).close();
});
