// The writing process is killed again and again. The ledger of what it was told is kept here; after each
// kill the store must hold every acknowledged write, and give no revision a second time.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import type { Store } from "../../src/store/store.ts";
import { body } from "../contract/store.ts";

const kills = 20;
const directory = mkdtempSync(join(tmpdir(), "kerb-crash-"));
after(() => rmSync(directory, { recursive: true }));

interface Told {
  /** The last acknowledged revision; 0 while the create is not. */
  revision: number;
  deleted: boolean;
  /** What was tried and not acknowledged when the process died. */
  trying: string | undefined;
}

const ledger = new Map<string, Told>();
let highest = 0;
let acknowledged = 0;

function note(line: string) {
  const [word, type, key, revision] = line.split(" ");
  if (word === "try") {
    ledger.set(key!, { revision: 0, deleted: false, ...ledger.get(key!), trying: type });
    return;
  }
  if (word !== "done" || revision === undefined) return;
  ledger.set(key!, { revision: Number(revision), deleted: type === "delete", trying: undefined });
  assert.ok(Number(revision) > 0);
  highest = Math.max(highest, Number(revision));
  acknowledged += 1;
}

/** Runs the writer until it was told of `writes` more changes, then kills it. */
async function killAfter(writes: number, label: string) {
  const script = join(import.meta.dirname, "store-writer.ts");
  const child = spawn(process.execPath, [script, directory, label], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<string | null>((resolve) =>
    child.once("exit", (_, signal) => resolve(signal)),
  );
  const until = acknowledged + writes;
  for await (const line of createInterface({ input: child.stdout })) {
    note(line);
    if (acknowledged >= until && !child.killed) child.kill("SIGKILL");
  }
  assert.equal(await exited, "SIGKILL", "the writer ended by itself");
}

function assertHolds(store: Store, key: string, { revision, deleted, trying }: Told) {
  const entry = store.get(key) as { revision: number } | undefined;
  const gone = deleted || revision === 0 || trying === "delete";
  if (!entry) return assert.ok(gone, `${key} at ${revision} is lost`);
  if (trying) return assert.ok(entry.revision >= revision, `${key} fell back`);
  assert.ok(!deleted, `${key} came back`);
  assert.equal(entry.revision, revision, `${key} is not what was acknowledged`);
}

test("twenty kills lose no acknowledged write, and revisions only grow", async () => {
  for (let kill = 0; kill < kills; kill++) {
    await killAfter(1 + ((kill * 389) % 2000), `k${kill}`);
    const store = await openLmdbStore(directory, { clock: new FakeClock(), log: silent });
    for (const [key, told] of ledger) if (key.startsWith("durable/")) assertHolds(store, key, told);
    for (const { key } of (await store.list("durable/")).entries) assert.ok(ledger.has(key), key);
    const { revision } = await store.create(`durable/after-${kill}`, body(kill));
    assert.ok(revision > highest, `${revision} may have been given before`);
    ledger.set(`durable/after-${kill}`, { revision, deleted: false, trying: undefined });
    highest = revision;
    await store.close();
  }
  assert.ok(acknowledged > kills * 100, `only ${acknowledged} writes were acknowledged`);
});
