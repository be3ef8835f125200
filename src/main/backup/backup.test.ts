import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { encodeBody } from "../../server/encode.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import { revisionsSkipped } from "../../store/lmdb-import.ts";
import { Compacted } from "../../store/store.ts";
import { openSecretKeys } from "../site/secret-keys.ts";
import { settle } from "../site/site-settings.ts";
import { backupSite } from "./backup.ts";
import { restoreSite } from "./restore.ts";

function folder(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "kerb-backup-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openStore(dataDir: string) {
  const clock = new FakeClock();
  const keys = openSecretKeys(dataDir, clock);
  const transform = keys.seal.bind(keys);
  return openLmdbStore(join(dataDir, "store"), { clock, log: silent, transform });
}

const object = (name: string, data: object) =>
  encodeBody({ apiVersion: "v1", kind: "Secret", metadata: { name }, data } as never);

/** The data of a stopped site: a hundred Secrets, an event, and a claim that nobody sees. */
async function makeSite(t: TestContext) {
  const dataDir = join(folder(t), "data");
  settle(dataDir, { name: "farm", defaultPort: 6443, slots: undefined });
  mkdirSync(join(dataDir, "pki"));
  writeFileSync(join(dataDir, "pki/ca.pem"), "the authority");
  const store = await openStore(dataDir);
  for (let i = 0; i < 100; i++) {
    await store.create(`secrets/default/s${i}`, object(`s${i}`, { password: `swordfish-${i}` }));
  }
  const { revision } = (await store.get("secrets/default/s7"))!;
  await store.update("secrets/default/s7", revision, object("s7", { password: "changed" }));
  await store.create("events/default/e", object("e", {}), { volatile: true });
  await store.close();
  return dataDir;
}

async function backUp(t: TestContext, passphraseFile?: string) {
  const dataDir = await makeSite(t);
  const file = join(folder(t), "site.backup");
  const report = await backupSite(file, { dataDir, ...(passphraseFile && { passphraseFile }) });
  return { dataDir, file, report };
}

function passphrase(t: TestContext, text = "correct horse") {
  const path = join(folder(t), "passphrase");
  writeFileSync(path, `${text}\n`);
  return path;
}

const objectsOf = async (dataDir: string) => {
  const store = await openStore(dataDir);
  const { entries } = await store.list("");
  const all = entries.map(({ key, value }) => [key, Buffer.from(value).toString()]);
  const revision = store.revision();
  await store.close();
  return { objects: all.filter(([key]) => !key!.startsWith("events/")), revision };
};

for (const sealed of [false, true]) {
  const how = sealed ? "encrypted" : "plain";
  test(`a restored site has every object of a backup (${how}), its keys and its name`, async (t) => {
    const options = sealed ? { passphraseFile: passphrase(t) } : {};
    const { dataDir, file, report } = await backUp(t, options.passphraseFile);
    assert.deepEqual(report, { objects: 100, encrypted: sealed });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!readFileSync(file).includes("swordfish"));
    const other = join(folder(t), "data");
    const { site, objects } = await restoreSite(file, { dataDir: other, ...options });
    assert.deepEqual([site, objects], ["farm", 100]);
    assert.equal(readFileSync(join(other, "pki/ca.pem"), "utf8"), "the authority");
    assert.deepEqual((await objectsOf(other)).objects, (await objectsOf(dataDir)).objects);
    assert.deepEqual(readdirSync(other).sort(), ["keys", "pki", "site.json", "store"]);
  });
}

test("a restored site gives no revision again, and whoever watched lists anew", async (t) => {
  const { dataDir, file } = await backUp(t);
  const { revision: before } = await objectsOf(dataDir);
  const other = join(folder(t), "data");
  await restoreSite(file, { dataDir: other });
  const store = await openStore(other);
  const entry = await store.create("secrets/default/new", object("new", {}));
  assert.ok(entry.revision > before + revisionsSkipped / 2);
  assert.throws(() => store.watch("secrets/", { after: before + 5 }), Compacted);
  const [seven] = (await store.list("secrets/default/")).entries.filter(({ key }) =>
    key.endsWith("/s7"),
  );
  await store.update("secrets/default/s7", seven!.revision, object("s7", {}));
  await store.close();
});

test("a backup is not taken to a directory with anything in it", async (t) => {
  const { dataDir, file } = await backUp(t);
  await assert.rejects(restoreSite(file, { dataDir }), /is not empty/);
  const other = folder(t);
  writeFileSync(join(other, "notes"), "");
  await assert.rejects(restoreSite(file, { dataDir: other }), /is not empty \(notes\)/);
});

test("without its passphrase, or with another, an encrypted backup stays shut", async (t) => {
  const { file } = await backUp(t, passphrase(t));
  const dataDir = join(folder(t), "data");
  await assert.rejects(restoreSite(file, { dataDir }), /give its passphrase/);
  const passphraseFile = passphrase(t, "wrong horse");
  await assert.rejects(restoreSite(file, { dataDir, passphraseFile }), /not its passphrase/);
  assert.deepEqual(readdirSync(dataDir), []);
});

test("a passphrase of a few characters is refused", async (t) => {
  const dataDir = await makeSite(t);
  const options = { dataDir, passphraseFile: passphrase(t, "short") };
  await assert.rejects(backupSite(join(dataDir, "b"), options), /fewer than 8 characters/);
});

for (const sealed of [false, true]) {
  test(`a ${sealed ? "sealed" : "plain"} backup cut short or changed anywhere is refused`, async (t) => {
    const options = sealed ? { passphraseFile: passphrase(t) } : {};
    const { file } = await backUp(t, options.passphraseFile);
    const whole = readFileSync(file);
    const dataDir = join(folder(t), "data");
    const refused = (what: string) =>
      assert.rejects(restoreSite(file, { dataDir, ...options }), { name: "Error" }, what);
    const step = Math.ceil(whole.length / (sealed ? 4 : 12));
    for (let at = 0; at < whole.length; at += step) {
      const changed = Buffer.from(whole);
      changed[at + step / 2 < whole.length ? Math.floor(at + step / 2) : at]! ^= 0x10;
      writeFileSync(file, changed);
      await refused(`changed at ${at}`);
      writeFileSync(file, whole);
      truncateSync(file, at);
      await refused(`cut at ${at}`);
    }
    assert.deepEqual(readdirSync(dataDir), []);
  });
}

test("what is no backup at all is said to be none", async (t) => {
  const file = join(folder(t), "site.backup");
  for (const text of ["", "{}\n", "hello", '{"kind":"KerbBackup"', "x".repeat(100_000)]) {
    writeFileSync(file, text);
    await assert.rejects(restoreSite(file, { dataDir: folder(t) }), /not a backup that Kerb made/);
  }
  writeFileSync(file, '{"kind":"KerbBackup","format":2}\n');
  await assert.rejects(restoreSite(file, { dataDir: folder(t) }), /format 2/);
});

const mayMount = process.getuid?.() === 0;

test(
  "a full disk leaves no half of a backup, and no half of a site",
  { skip: !mayMount },
  async (t) => {
    const disk = mkdtempSync(join(tmpdir(), "kerb-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    t.after(() => {
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true });
    });
    const { dataDir, file } = await backUp(t);
    writeFileSync(join(disk, "ballast"), Buffer.alloc(64 * 1024));
    await assert.rejects(backupSite(join(disk, "b"), { dataDir }), /ENOSPC/);
    assert.deepEqual(readdirSync(disk), ["ballast"]);
    rmSync(join(disk, "ballast"));
    const there = join(disk, "data");
    await assert.rejects(restoreSite(file, { dataDir: there }), /full|ENOSPC/);
    assert.ok(!existsSync(join(there, "site.json")));
    assert.deepEqual(readdirSync(there), []);
  },
);
