// The journal on a disk that loses power: whatever was acknowledged is there again, whatever the write
// under way left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import type { Change } from "./change.ts";
import { JournalBackend } from "./journal.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { blockBytes, decodeRecords, encodeRecord } from "./journal-record.ts";
import { MemoryBackend } from "./memory.ts";
import { StoreFull } from "./store.ts";

const sectorBytes = 512;
const diskBytes = 24 * blockBytes;

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
};

/** What survives a power cut, and a switch that cuts it. */
class Machine {
  readonly files: [Buffer, Buffer] = [Buffer.alloc(diskBytes), Buffer.alloc(diskBytes)];
  readonly tree = new MemoryBackend();
  carried = 0;
  full = false;
  /** Commits that the tree finishes in this life: the power is cut during the next. */
  stallAfter = Number.POSITIVE_INFINITY;
  /** Which sectors of the write under way reach the disk; the power goes with it. */
  cut: ((sector: number) => boolean) | undefined;

  disk(file: Buffer): JournalDisk {
    return {
      bytes: diskBytes,
      read: () => Promise.resolve(Buffer.from(file)),
      write: async (bytes, at) => {
        for (let from = 0; from < bytes.length; from += sectorBytes) {
          if (this.cut && !this.cut(from / sectorBytes)) continue;
          file.set(bytes.subarray(from, from + sectorBytes), at + from);
        }
        await turns(9);
        if (this.cut) throw new Error("power cut");
      },
      close: () => Promise.resolve(),
    };
  }

  open() {
    const { tree } = this;
    const durable = {
      revisionOf: (key: string) => tree.revisionOf(key),
      value: (revision: number) => tree.value(revision),
      keys: (prefix: string, after: string | undefined) => tree.keys(prefix, after),
      count: (prefix: string, after: string | undefined) => tree.count(prefix, after),
      heads: (after: number) => tree.heads(after),
      close: () => Promise.resolve(),
      commit: async (commit: { changes?: Change[] }) => {
        // Other writes go on meanwhile.
        await turns(5);
        if (this.full) throw new StoreFull(new Error("full"));
        if (this.stallAfter-- <= 0) await new Promise(() => {});
        this.carried = commit.changes?.at(-1)?.revision ?? this.carried;
        await tree.commit(commit);
      },
    };
    return JournalBackend.open({
      tree: durable,
      disks: [this.disk(this.files[0]), this.disk(this.files[1])],
      carried: this.carried,
      clock: new FakeClock(),
      log: silent,
    });
  }
}

const change = (revision: number, bytes: number): Change => ({
  type: "create",
  key: `a/${1e6 + revision}`,
  revision,
  previous: 0,
  value: Buffer.alloc(bytes, revision),
});

const held = (journal: JournalBackend) => [...journal.keys("", undefined)].map(([, at]) => at);
const sorted = (revisions: Iterable<number>) => [...revisions].sort((a, b) => a - b);

const lives = fc.array(
  fc.record({
    /** Sizes of the changes of each commit. */
    commits: fc.array(fc.array(fc.integer({ min: 0, max: 7000 }), { minLength: 1, maxLength: 4 }), {
      maxLength: 30,
    }),
    compacts: fc.boolean(),
    stallAfter: fc.integer({ min: 0, max: 6 }),
    last: fc.integer({ min: 0, max: 7000 }),
    sectors: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  }),
  { minLength: 1, maxLength: 6 },
);

test("a power cut during any write loses nothing that was acknowledged", async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      const machine = new Machine();
      const acknowledged = new Set<number>();
      let revision = 0;
      for (const { commits, compacts, stallAfter, last, sectors } of all) {
        machine.stallAfter = Number.POSITIVE_INFINITY;
        const journal = await machine.open();
        const found = held(journal);
        for (const one of acknowledged) assert.ok(found.includes(one), `${one} is lost`);
        // What was cut may have reached the disk whole.
        for (const one of found) acknowledged.add(one);
        revision = Math.max(revision, ...found);
        await turns(50);
        machine.stallAfter = stallAfter;
        const ends = async (commit: Promise<void>) =>
          (await Promise.race([commit.then(() => "done"), turns(100)])) === "done";
        for (const sizes of commits) {
          const changes = sizes.map((bytes) => change(++revision, bytes));
          const committed = ends(journal.commit({ changes }));
          if (compacts) await ends(journal.commit({ compacted: 0 }));
          if (!(await committed)) break;
          for (const one of changes) acknowledged.add(one.revision);
          assert.deepEqual(held(journal), [...acknowledged]);
          assert.equal(journal.count("a/", undefined), acknowledged.size);
          assert.deepEqual(
            [...journal.heads(0)].map((head) => head.revision),
            [...acknowledged],
          );
        }
        machine.cut = (sector) => sectors[sector % sectors.length]!;
        await ends(journal.commit({ changes: [change(++revision, last)] })).catch(() => {});
        machine.cut = undefined;
      }
    }),
    { seed: 7, numRuns: 150 },
  );
});

test("a record ends the journal when it is torn or of a use before", () => {
  const of = (...revisions: number[]) => encodeRecord(revisions.map((one) => change(one, 100)));
  const read = (...records: Buffer[]) =>
    [...decodeRecords(Buffer.concat([...records, Buffer.alloc(blockBytes)]))].map(
      ({ revision, value }) => [revision, value.length],
    );
  const both = [
    [5, 100],
    [6, 100],
    [7, 100],
  ];
  assert.deepEqual(read(of(5, 6), of(7)), both);
  assert.deepEqual(read(of(5, 6), of(7), of(3)), both);
  const torn = of(8);
  torn[50]! ^= 1;
  assert.deepEqual(read(of(5, 6), of(7), torn, of(9)), both);
  assert.deepEqual(read(), []);
});

test("a tree that is full stops new writes, and what waits is carried when there is room", async () => {
  const machine = new Machine();
  machine.full = true;
  const journal = await machine.open();
  const kept: number[] = [];
  let refusal: unknown;
  for (let revision = 1; !refusal; revision++) {
    const committed = journal.commit({ changes: [change(revision, 3000)] });
    await committed.then(
      () => kept.push(revision),
      (error: unknown) => (refusal = error),
    );
  }
  assert.ok(refusal instanceof StoreFull);
  assert.deepEqual(held(journal).sort(), kept.map(Number).sort());
  const again = await machine.open();
  assert.deepEqual(sorted(held(again)), kept);
  await assert.rejects(again.commit({ changes: [change(900, 10)] }), StoreFull);
  machine.full = false;
  await again.commit({ changes: [change(901, 10)] });
  await again.close();
  assert.equal(machine.tree.count("", undefined), kept.length + 1);
});

test("changes that no others follow are carried after a while, and are read the same before and after", async () => {
  const machine = new Machine();
  const journal = await machine.open();
  await journal.commit({ changes: [change(1, 10), change(2, 10)] });
  await journal.commit({
    changes: [{ ...change(3, 1), key: "a/1000001", type: "delete", previous: 1 }],
  });
  const seen = () => [held(journal), journal.revisionOf("a/1000001"), journal.value(2)?.length];
  assert.deepEqual(seen(), [[2], undefined, 10]);
  assert.equal(machine.tree.count("", undefined), 0);
  await journal.commit({ removed: [1], compacted: 1 });
  assert.equal(machine.tree.count("", undefined), 1);
  assert.deepEqual(seen(), [[2], undefined, 10]);
  await journal.close();
});
