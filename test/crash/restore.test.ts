// `kerb restore`, killed at any moment: what is left is no site, and the same command makes it one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { backupSite } from "../../src/main/backup/backup.ts";
import { openSecretKeys } from "../../src/main/site/secret-keys.ts";
import { settle } from "../../src/main/site/site-settings.ts";
import { openLmdbStore } from "../../src/store/lmdb.ts";
import { body } from "../contract/store.ts";

const objects = 4000;
const program = join(import.meta.dirname, "../../bin/kerb.ts");
const asked = { defaultPort: 6443, slots: undefined };

async function backedUp(folder: string) {
  const dataDir = join(folder, "farm");
  settle(dataDir, { ...asked, name: "farm" });
  mkdirSync(join(dataDir, "pki"));
  writeFileSync(join(dataDir, "pki/ca.pem"), "");
  const clock = new FakeClock();
  const keys = openSecretKeys(dataDir, clock);
  const transform = keys.seal.bind(keys);
  const store = await openLmdbStore(join(dataDir, "store"), { clock, log: silent, transform });
  const value = body("x".repeat(2000));
  const all = Array.from({ length: objects }, (_, i) => store.create(`configmaps/a/c${i}`, value));
  await Promise.all(all);
  await store.close();
  const file = join(folder, "farm.backup");
  await backupSite(file, { dataDir });
  return file;
}

const restore = (file: string, directory: string) =>
  spawn(process.execPath, [program, "restore", file, "--data-dir", directory], { stdio: "ignore" });

test("a restore that is killed leaves no site, and is done again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kerb-restore-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = await backedUp(folder);
  const directory = join(folder, "again");
  const seen = { whole: 0, refused: 0 };
  for (const killAfterMs of [0, 15, 40, 90, 150, 220]) {
    const child = restore(file, directory);
    while (!existsSync(join(directory, "restoring")) && child.exitCode === null)
      await setTimeout(1);
    await setTimeout(killAfterMs);
    const ended = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill("SIGKILL");
    await ended;
    if (existsSync(join(directory, "site.json"))) {
      seen.whole++;
      rmSync(directory, { recursive: true });
      continue;
    }
    seen.refused++;
    assert.throws(() => settle(directory, asked), /a restore to .* was cut short/);
  }
  assert.ok(seen.refused > 0, JSON.stringify(seen));
  const [code] = await once(restore(file, directory), "exit");
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(directory).sort(), ["keys", "pki", "site.json", "store"]);
  const clock = new FakeClock();
  const keys = openSecretKeys(directory, clock);
  const transform = keys.seal.bind(keys);
  const store = await openLmdbStore(join(directory, "store"), { clock, log: silent, transform });
  assert.equal((await store.list("configmaps/")).entries.length, objects);
  await store.close();
});
