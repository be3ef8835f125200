// The process that test/crash/store.test.ts kills: writes to the store in a directory as fast as it can, and
// says on stdout, at once, what it tries and what was acknowledged.
import { writeSync } from "node:fs";
import { systemClock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { startCompaction } from "../../src/store/compaction.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { body } from "../contract/store.ts";

const [directory, label] = process.argv.slice(2);
const store = await openLmdbStore(directory!, { clock: systemClock, log: silent });
startCompaction(store, { clock: systemClock, log: silent });

/** Nothing may be done before it is said, so a full pipe is tried until the reader made room. */
function say(...words: unknown[]) {
  let line = Buffer.from(`${words.join(" ")}\n`);
  while (line.length > 0) {
    try {
      line = line.subarray(writeSync(1, line));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

/** One key at a time: created, changed, and every third one deleted. */
async function writer(name: string, volatile: boolean) {
  const options = volatile ? { volatile } : {};
  const prefix = volatile ? "volatile" : "durable";
  for (let i = 0; ; i++) {
    const key = `${prefix}/${label}-${name}-${i}`;
    let told = { revision: 0 };
    for (const type of ["create", "update", "update", "delete"] as const) {
      if (type === "delete" && i % 3 > 0) continue;
      say("try", type, key);
      if (type === "create") told = await store.create(key, body(i), options);
      else if (type === "update") told = await store.update(key, told.revision, body(i), options);
      else told = await store.delete(key, told.revision, body(i));
      say("done", type, key, told.revision);
    }
    if (i % 50 === 49) await store.compact(store.revision() - 100);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, i) => writer(String(i), i === 0)));
