import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { Kinds } from "../../kinds/kinds.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { memoryStore } from "../../store/memory.ts";
import { encodeBody } from "../encode.ts";
import { cleanupFinalizer, conditionOf, crdPrefix, type Crd } from "./crd.ts";
import { defaultCrd } from "./crd-admission.ts";
import type { Convert } from "./conversion.ts";
import { startCrdController } from "./crd-controller.ts";
import { backupCrd } from "./test-crd.ts";

const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());

async function setUp(crds: Crd[] = []) {
  const scope = new Scope();
  const store = memoryStore();
  const kinds = new Kinds();
  for (const crd of crds) await put(crd);
  const convert: Convert = async (_crd, objects) => objects;
  await startCrdController({ store, kinds, clock: new FakeClock(), log: silent, scope, convert });

  async function put(crd: Crd) {
    defaultCrd(crd);
    await store.create(crdPrefix + crd.metadata.name, encodeBody(crd));
  }
  const read = async (name: string): Promise<Crd | undefined> => {
    const entry = await store.get(crdPrefix + name);
    return entry && parse(entry.value);
  };
  /** Resolves with the definition (undefined: gone) once `holds` of it. */
  const until = (name: string, holds: (crd: Crd | undefined) => boolean) =>
    new Promise<Crd | undefined>((resolve) => {
      const check = async () => {
        const crd = await read(name);
        if (!holds(crd)) return;
        stop();
        resolve(crd);
      };
      const stop = store.subscribe(crdPrefix, () => void check());
      void check();
    });
  const markDeleted = async (name: string) => {
    const entry = (await store.get(crdPrefix + name))!;
    const crd = parse(entry.value);
    crd.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
    await store.update(entry.key, entry.revision, encodeBody(crd));
  };
  return { scope, store, kinds, put, until, markDeleted };
}

const established = (crd: Crd | undefined) =>
  conditionOf(crd?.status, "Established")?.status === "True";
const find = (kinds: Kinds) => kinds.get("example.com", "v1", "backups");

test("a definition is served as soon as it is written, and then established", async () => {
  const { scope, kinds, put, until } = await setUp();
  await put(backupCrd());
  assert.equal(find(kinds)?.kind, "Backup");
  const crd = await until("backups.example.com", established);
  assert.deepEqual(crd?.status?.storedVersions, ["v1"]);
  assert.equal(crd?.status?.acceptedNames?.plural, "backups");
  assert.equal(conditionOf(crd?.status, "NamesAccepted")?.reason, "NoConflicts");
  await scope.close();
});

test("definitions found in the store are served before the start is over", async () => {
  const { scope, kinds } = await setUp([backupCrd()]);
  assert.equal(find(kinds)?.kind, "Backup");
  await scope.close();
});

test("a name that is taken is not accepted until it is free", async () => {
  const { scope, kinds, put, until, markDeleted } = await setUp([backupCrd()]);
  const names = { plural: "stores", singular: "store", kind: "Backup", listKind: "StoreList" };
  await put(backupCrd({ names }));
  const refused = await until("stores.example.com", (crd) => crd?.status !== undefined);
  const condition = conditionOf(refused?.status, "NamesAccepted");
  assert.equal(condition?.reason, "KindConflict");
  assert.equal(condition?.message, '"Backup" is already in use');
  assert.equal(kinds.get("example.com", "v1", "stores"), undefined);
  await markDeleted("backups.example.com");
  await until("stores.example.com", established);
  assert.equal(kinds.get("example.com", "v1", "stores")?.kind, "Backup");
  await scope.close();
});

test("a change of schema replaces the kind, and a version that is served no more goes", async () => {
  const [version] = backupCrd().spec.versions;
  const both = [version!, { ...version!, name: "v1beta1", storage: false }];
  const { scope, store, kinds, until } = await setUp([backupCrd({ versions: both })]);
  await until("backups.example.com", established);
  assert.ok(kinds.get("example.com", "v1beta1", "backups"));
  const before = find(kinds);
  const entry = (await store.get(`${crdPrefix}backups.example.com`))!;
  const crd: Crd = parse(entry.value);
  crd.spec.versions = [{ ...version!, subresources: {} }];
  await store.update(entry.key, entry.revision, encodeBody(crd));
  assert.notEqual(find(kinds), before);
  assert.deepEqual(find(kinds)?.subresources, []);
  assert.equal(kinds.get("example.com", "v1beta1", "backups"), undefined);
  await scope.close();
});

test("a deletion takes the objects first, and waits for those that are held", async () => {
  const { scope, store, kinds, until, markDeleted } = await setUp([backupCrd()]);
  await until("backups.example.com", established);
  const object = (name: string, finalizers: string[]) =>
    ({
      apiVersion: "example.com/v1",
      kind: "Backup",
      metadata: { name, namespace: "default", ...(finalizers.length > 0 && { finalizers }) },
    }) as KubeObject;
  const prefix = "backups.example.com/default/";
  await store.create(`${prefix}free`, encodeBody(object("free", [])));
  await store.create(`${prefix}held`, encodeBody(object("held", ["example.com/hold"])));
  await markDeleted("backups.example.com");
  const terminating = await until(
    "backups.example.com",
    (crd) => conditionOf(crd?.status, "Terminating")?.reason === "InstanceDeletionInProgress",
  );
  assert.deepEqual(terminating?.metadata.finalizers, [cleanupFinalizer]);
  assert.equal(await store.get(`${prefix}free`), undefined);
  assert.equal(find(kinds)?.verbs.includes("create"), false);
  const held = (await store.get(`${prefix}held`))!;
  assert.ok(parse(held.value).metadata.deletionTimestamp);
  await store.delete(held.key, held.revision, encodeBody(object("held", [])));
  await until("backups.example.com", (crd) => crd === undefined);
  assert.equal(find(kinds), undefined);
  await scope.close();
});
