import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { encodeBody } from "../../server/encode.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import { openSecretKeys } from "./secret-keys.ts";
import { Rotation } from "./secret-rotation.ts";
import type { RotationStep } from "./secret-rotation.ts";

function newDirectory(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "kerb-keys-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function openSite(directory: string) {
  const clock = new FakeClock();
  const keys = openSecretKeys(directory, clock);
  const store = await openLmdbStore(join(directory, "store"), {
    clock,
    log: silent,
    transform: (durable) => keys.seal(durable),
  });
  const parts = { keys, store, log: silent, scope: new Scope() };
  return { ...parts, rotation: new Rotation(parts) };
}

const secret = (name: string, password = "swordfish") =>
  encodeBody({ apiVersion: "v1", kind: "Secret", metadata: { name }, data: { password } } as any);

const passwordOf = (entry: { value: Uint8Array } | undefined) =>
  JSON.parse(Buffer.from(entry!.value).toString()).data.password;

/** Everything a site has on disk, but the key file. */
const onDisk = (directory: string) =>
  readdirSync(join(directory, "store"), { withFileTypes: true })
    .filter((one) => one.isFile())
    .map(({ name }) => readFileSync(join(directory, "store", name)));

const keyFile = (directory: string) => join(directory, "keys", "secrets.json");

test("the disk shows nothing of a Secret, before and after a restart", async (t) => {
  const directory = newDirectory(t);
  const site = await openSite(directory);
  await site.store.create("secrets/default/a", secret("a"));
  await site.store.create("configmaps/default/b", secret("b", "not-so-secret"));
  assert.equal(passwordOf(await site.store.get("secrets/default/a")), "swordfish");
  const shows = (text: string) => onDisk(directory).some((bytes) => bytes.includes(text));
  assert.ok(!shows("swordfish") && shows("not-so-secret"), "in the journal");
  await site.store.close();
  assert.ok(!shows("swordfish") && shows("not-so-secret"), "in the tree");
  const again = await openSite(directory);
  assert.equal(passwordOf(await again.store.get("secrets/default/a")), "swordfish");
  assert.deepEqual(
    again.keys.state().keys.map(({ secrets }) => secrets),
    [1],
  );
  assert.equal(statSync(keyFile(directory)).mode & 0o777, 0o600);
  await again.store.close();
});

test("a rotation writes every Secret under a new key, and the old key is gone", async (t) => {
  const directory = newDirectory(t);
  const site = await openSite(directory);
  for (const name of ["a", "b"]) await site.store.create(`secrets/default/${name}`, secret(name));
  const [old] = site.keys.state().keys;
  const steps: RotationStep[] = [];
  for await (const step of site.rotation.run()) steps.push(step);
  const { keys, plain } = site.keys.state();
  assert.deepEqual(
    steps.map(({ step }) => step),
    ["key", "secrets", "done"],
  );
  assert.equal(keys.length, 1);
  assert.equal(keys[0]!.secrets, 2);
  assert.equal(plain, 0);
  assert.ok(!readFileSync(keyFile(directory), "utf8").includes(old!.id));
  await site.store.close();
  const again = await openSite(directory);
  assert.equal(passwordOf(await again.store.get("secrets/default/b")), "swordfish");
  await again.store.close();
});

test("a rotation that was cut short goes on at the next start, with the same key", async (t) => {
  const directory = newDirectory(t);
  const site = await openSite(directory);
  for (const name of ["a", "b"]) await site.store.create(`secrets/default/${name}`, secret(name));
  for await (const step of site.rotation.run()) if (step.step === "key") break;
  await site.store.create("secrets/default/c", secret("c"));
  await site.store.close();
  const again = await openSite(directory);
  const { keys } = again.keys.state();
  assert.deepEqual(
    keys.map(({ secrets }) => secrets),
    [1, 2],
  );
  await again.rotation.resume();
  assert.deepEqual(again.keys.state().keys, [{ ...keys[0]!, secrets: 3 }]);
  for (const name of ["a", "b", "c"]) {
    assert.equal(passwordOf(await again.store.get(`secrets/default/${name}`)), "swordfish");
  }
  await again.store.close();
});

test("a site from before encryption is encrypted by its first rotation", async (t) => {
  const directory = newDirectory(t);
  const bare = { clock: new FakeClock(), log: silent };
  const before = await openLmdbStore(join(directory, "store"), bare);
  await before.create("secrets/default/a", secret("a"));
  await before.close();
  const site = await openSite(directory);
  assert.deepEqual(site.keys.state(), { keys: [], plain: 1 });
  for await (const step of site.rotation.run()) assert.notEqual(step.step, "failed");
  const { keys, plain } = site.keys.state();
  assert.deepEqual([keys.length, plain], [1, 0]);
  assert.equal(passwordOf(await site.store.get("secrets/default/a")), "swordfish");
  await site.store.close();
});

test("a lost key and one that others can read stop the start, each with its reason", async (t) => {
  const directory = newDirectory(t);
  const site = await openSite(directory);
  await site.store.create("secrets/default/a", secret("a"));
  await site.store.close();
  chmodSync(keyFile(directory), 0o644);
  await assert.rejects(openSite(directory), /can be read by others; run: chmod 600/);
  rmSync(keyFile(directory));
  await assert.rejects(openSite(directory), /encrypted with the key [0-9a-f]{16}, which is not in/);
});
