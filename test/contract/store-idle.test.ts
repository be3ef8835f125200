// Heartbeats do not wear flash: an hour of an idle site, leases renewed every ten seconds, history
// compacted, costs the disk less than a mebibyte.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { startCompaction } from "../../src/store/compaction.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { body } from "./store.ts";

const hourMs = 3_600_000;
const leases = 10;
const writtenBytesMax = 2 ** 20;

// What is given to write calls. What the kernel counts as written are whole folios, however little of them.
const writtenBytes = () => Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))![1]);

test("an idle hour writes less than a mebibyte", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-idle-"));
  const clock = new FakeClock();
  const store = await openLmdbStore(directory, { clock, log: silent });
  const stop = startCompaction(store, { clock, log: silent });
  for (let i = 0; i < 500; i++) await store.create(`pods/default/${i}`, body("x".repeat(5000)));
  const revisions: number[] = [];
  for (let i = 0; i < leases; i++) {
    const { revision } = await store.create(`leases/default/${i}`, body(0), { volatile: true });
    revisions.push(revision);
  }
  const renew = async (i: number) => {
    const entry = await store.update(`leases/default/${i}`, revisions[i]!, body("x".repeat(500)));
    revisions[i] = entry.revision;
  };
  clock.every(10_000, () => revisions.forEach((_, i) => void renew(i)));
  // The pods are in the tree before the hour begins.
  await store.compact(store.revision());
  const before = writtenBytes();
  const start = store.revision();
  await clock.advance(hourMs);
  const written = writtenBytes() - before;
  t.diagnostic(`${written} bytes written in ${store.revision() - start} renewals`);
  assert.equal(store.revision() - start, (leases * hourMs) / 10_000);
  assert.ok(written < writtenBytesMax, `${written} bytes written`);
  assert.ok(store.revision() - store.compacted() < start, "history is bounded");
  stop();
  await store.close();
  rmSync(directory, { recursive: true });
});
