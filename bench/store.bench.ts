// The store alone: durable creates a second beside raw lmdb puts of the same bytes, and reads.
// `node bench/store.bench.ts` runs it by itself.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { systemClock } from "../src/lib/clock.ts";
import { silent } from "../src/lib/log.ts";
import { openLmdbStore } from "../src/store/lmdb.ts";
import type { Store } from "../src/store/store.ts";
import { printRows, throughput } from "./row.ts";
import type { Row, Rows } from "./row.ts";

const head = `{"metadata":{`;
const bodyOf = (bytes: number) => ({
  bytes: Buffer.from(`${head}"name":"x"},"data":"${"x".repeat(bytes)}"}`),
  revisionAt: head.length,
});

/** Writers at once, and how many creates a second the whole API must reach with as many clients. */
const writers = [1, 16, 256];

async function* benchCreates(store: Store, directory: string, scale: number): Rows {
  const raw = open<Uint8Array, string>({
    path: join(directory, "raw"),
    encoding: "binary",
    overlappingSync: false,
    eventTurnBatching: false,
  });
  const body = bodyOf(2000);
  for (const count of writers) {
    const total = Math.round((count === 1 ? 1000 : 10_000) * scale);
    const value = await throughput(count, total, async (i) => {
      await store.create(`pods/w${count}/${i}`, body);
    });
    const puts = await throughput(count, total, async (i) => {
      await raw.put(`pods/w${count}/${i}`, body.bytes);
    });
    yield {
      name: `store creates, ${count} writer${count > 1 ? "s" : ""}`,
      value,
      unit: "/s",
      baseline: { name: "lmdb puts", value: puts },
      better: "higher",
    };
  }
  await raw.close();
}

/** The best of `runs`, in milliseconds. */
async function fastest(runs: number, run: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const started = performance.now();
    await run();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

async function* benchLists(store: Store, scale: number): Rows {
  const total = Math.round(10_000 * scale);
  const body = bodyOf(7000);
  const before = await store.create("big/first", body);
  await throughput(256, total, async (i) => {
    await store.create(`big/${i}`, body);
  });
  const row = (name: string, value: number, target?: number): Row => ({
    name,
    value,
    unit: "ms",
    better: "lower",
    ...(target !== undefined && { target }),
  });
  const { revision } = before;
  yield row(`store list of ${total} x 7 kB`, await fastest(5, () => store.list("big/")), 150);
  yield row("store page of 500", await fastest(5, () => store.list("big/", { limit: 500 })));
  yield row(
    `store list undoing ${total}`,
    await fastest(5, () => store.list("big/", { revision })),
  );
  yield row("store compaction of it all", await fastest(1, () => store.compact(store.revision())));
}

export async function* benchStore(scale = 1): Rows {
  const directory = mkdtempSync(join(tmpdir(), "kerb-bench-"));
  const store = await openLmdbStore(join(directory, "store"), { clock: systemClock, log: silent });
  try {
    yield* benchCreates(store, directory, scale);
    yield* benchLists(store, scale);
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

if (import.meta.main) await printRows(benchStore());
