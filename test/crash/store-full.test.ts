// A disk that fills up, made of memory: needs the right to mount.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { StoreFull } from "../../src/store/store.ts";
import { body } from "../contract/store.ts";

const mayMount = process.getuid?.() === 0;
const large = body("x".repeat(4000));

test(
  "a full disk refuses writes, loses nothing, and takes them again",
  { skip: !mayMount },
  async (t) => {
    const disk = mkdtempSync(join(tmpdir(), "kerb-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]);
    t.after(() => {
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true });
    });
    const ballast = join(disk, "ballast");
    // More than the tree may need for what waits in the journal: too little room is a full disk still.
    writeFileSync(ballast, Buffer.alloc(12 * 2 ** 20));
    const options = { clock: new FakeClock(), log: silent, mapBytes: 2 ** 20 };
    const store = await openLmdbStore(join(disk, "data"), options);
    const kept: string[] = [];
    let refusal: unknown;
    for (let i = 0; refusal === undefined; i++) {
      const keys = Array.from({ length: 20 }, (_, n) => `a/${i}-${n}`);
      const results = await Promise.allSettled(keys.map((key) => store.create(key, large)));
      kept.push(...keys.filter((_, n) => results[n]!.status === "fulfilled"));
      refusal = results.find((result) => result.status === "rejected")?.reason;
    }
    assert.ok(refusal instanceof StoreFull, String(refusal));
    assert.ok(kept.length > 100);
    rmSync(ballast);
    await store.create("a/later", large);
    await store.close();
    const again = await openLmdbStore(join(disk, "data"), options);
    const keys = (await again.list("a/")).entries.map((entry) => entry.key);
    assert.deepEqual(keys, [...kept, "a/later"].sort());
    await again.close();
  },
);
