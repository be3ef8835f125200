import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { DataInUse } from "../../src/store/data-lock.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
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

test("one process per data directory", async () => {
  const store = await openAt("locked");
  await assert.rejects(openAt("locked"), DataInUse);
  await store.close();
  await (await openAt("locked")).close();
});
