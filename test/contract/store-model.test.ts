// A store against a model: a plain list of changes. Whatever was done, in whatever order, the present,
// every kept past and every watch must say what the model says.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { memoryStore } from "../../src/store/memory.ts";
import { KeyExists, RevisionMismatch } from "../../src/store/store.ts";
import type { Store, StoreEvent } from "../../src/store/store.ts";
import { body, read } from "./store.ts";

interface Step {
  kind: "create" | "update" | "delete" | "compact" | "reopen" | "settle";
  key: string;
  /** The guard is wrong on purpose. */
  stale: boolean;
  volatile: boolean;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom(
      ...(["create", "create", "update", "update", "update", "delete"] as const),
      ...(["settle", "settle", "compact", "reopen"] as const),
    ),
    key: fc.constantFrom("a/x", "a/y", "a/yy", "b/x", "b/z"),
    stale: fc.boolean(),
    volatile: fc.constantFrom(false, false, true),
  }),
  { minLength: 5, maxLength: 60 },
);

/** What a writer was told: the present after each acknowledged change, by its revision. */
class Model {
  readonly present = new Map<string, { revision: number; data: number }>();
  readonly pasts: { revision: number; at: Map<string, { revision: number; data: number }> }[] = [];
  readonly events: { type: string; key: string; data: number; revision: number }[] = [];

  note(event: StoreEvent) {
    const { type, key, revision } = event;
    const { data, metadata } = read(event.value);
    assert.equal(metadata.resourceVersion, String(revision));
    const before = this.present.get(key);
    assert.equal(type === "create", before === undefined, "a create follows nothing");
    assert.equal(event.previous && read(event.previous).data, before?.data);
    if (type === "delete") this.present.delete(key);
    else this.present.set(key, { revision, data });
    assert.ok(revision > (this.events.at(-1)?.revision ?? 0), "revisions grow");
    this.events.push({ type, key, data, revision });
    this.pasts.push({ revision, at: new Map(this.present) });
  }
}

const shown = async (store: Store, prefix: string, revision?: number) => {
  const entries = [];
  let after: string | undefined;
  for (;;) {
    const page = await store.list(prefix, {
      limit: 2,
      ...(after !== undefined && { after }),
      ...(revision !== undefined && { revision }),
    });
    entries.push(...page.entries.map((e) => [e.key, e.revision, read(e.value).data]));
    after = page.next;
    if (after === undefined) return entries;
    const rest = await store.list(prefix, { after, ...(revision !== undefined && { revision }) });
    assert.equal(page.remaining, rest.entries.length);
  }
};

const wanted = (at: Map<string, { revision: number; data: number }>, prefix: string) =>
  [...at]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, { revision, data }]) => [key, revision, data])
    .sort(([a], [b]) => (a! < b! ? -1 : 1));

async function assertAgrees(store: Store, model: Model, pastsFrom: number) {
  for (const prefix of ["a/", "b/", ""]) {
    assert.deepEqual(await shown(store, prefix), wanted(model.present, prefix));
    for (const { revision, at } of model.pasts) {
      if (revision < Math.max(pastsFrom, store.compacted())) continue;
      assert.deepEqual(await shown(store, prefix, revision), wanted(at, prefix), `at ${revision}`);
    }
  }
  for (const key of ["a/x", "b/z"]) {
    assert.equal((await store.get(key))?.revision, model.present.get(key)?.revision);
  }
  const from = Math.max(pastsFrom, store.compacted());
  const told = model.events.filter((event) => event.revision > from);
  const events: StoreEvent[] = [];
  const watch = store.watch("", { after: from });
  if (told.length > 0) {
    for await (const batch of watch) {
      events.push(...batch);
      if (events.length >= told.length) break;
    }
  }
  watch.close();
  assert.deepEqual(
    events.map(({ type, key, value, revision }) => [type, key, read(value).data, revision]),
    told.map(({ type, key, data, revision }) => [type, key, data, revision]),
  );
}

/** Runs steps without waiting between writes, so that many share one commit. */
async function play(open: () => Promise<Store>, played: Step[], reopens: boolean) {
  const model = new Model();
  let store = await open();
  let stop = store.subscribe("", (events) => events.forEach((event) => model.note(event)));
  let pastsFrom = 0;
  let writes: Promise<unknown>[] = [];
  let data = 0;
  const settle = async () => {
    for (const { status, reason } of (await Promise.allSettled(writes)) as any[]) {
      if (status === "fulfilled") continue;
      assert.ok(reason instanceof KeyExists || reason instanceof RevisionMismatch, String(reason));
    }
    writes = [];
  };
  for (const { kind, key, stale, volatile } of played) {
    const revision = stale ? 1 : (model.present.get(key)?.revision ?? 1);
    if (kind === "create") writes.push(store.create(key, body(data++), { volatile }));
    else if (kind === "update") writes.push(store.update(key, revision, body(data++)));
    else if (kind === "delete") writes.push(store.delete(key, revision, body(data++)));
    else await settle();
    if (kind === "compact") await store.compact(Math.max(0, store.revision() - 3));
    if (kind !== "reopen" || !reopens) continue;
    stop();
    await store.close();
    store = await open();
    pastsFrom = store.revision();
    stop = store.subscribe("", (events) => events.forEach((event) => model.note(event)));
  }
  await settle();
  await assertAgrees(store, model, pastsFrom);
  stop();
  await store.close();
}

test("the memory store does what the model does", async () => {
  await fc.assert(
    fc.asyncProperty(steps, (played) => play(async () => memoryStore(), played, false)),
    { numRuns: 300 },
  );
});

const base = mkdtempSync(join(tmpdir(), "kerb-model-"));
after(() => rmSync(base, { recursive: true }));

test("the durable store does what the model does, across restarts", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (played) => {
      const directory = join(base, String(run++));
      const open = () => openLmdbStore(directory, { clock: new FakeClock(), log: silent });
      await play(open, played, true);
      rmSync(directory, { recursive: true });
    }),
    { numRuns: 40 },
  );
});
