import assert from "node:assert/strict";
import { test } from "node:test";
import { kindsOfCrd } from "./crd-to-kinds.ts";
import { backupCrd, backupSchema } from "./test-crd.ts";

test("a definition becomes a kind with its names, columns and subresources", () => {
  const [kind] = kindsOfCrd(backupCrd());
  const { schema: _, ...rest } = kind!;
  assert.equal(rest.kind, "Backup");
  assert.equal(rest.listKind, "BackupList");
  assert.equal(rest.namespaced, true);
  assert.deepEqual(rest.shortNames, ["bk"]);
  assert.deepEqual(rest.subresources, ["status", "scale"]);
  assert.equal(rest.scale?.specReplicasPath, ".spec.replicas");
  assert.deepEqual(rest.selectableFields, ["spec.schedule"]);
  assert.deepEqual(
    rest.columns.map((column) => [column.name, column.priority, column.jsonPath]),
    [
      ["Schedule", 0, ".spec.schedule"],
      ["Age", 1, ".metadata.creationTimestamp"],
    ],
  );
});

test("the published schema tells the fields of every object", () => {
  const { schema } = kindsOfCrd(backupCrd())[0]!;
  assert.equal(schema.properties!["metadata"]?.ref?.split(".").at(-1), "ObjectMeta");
  const template = schema.properties!["spec"]!.properties!["template"]!;
  assert.deepEqual(template.required, ["apiVersion", "kind"]);
  assert.equal(backupSchema.properties!["metadata"]!.type, "object");
});

test("only served versions are kinds, and all know the storage version", () => {
  const [version] = backupCrd().spec.versions;
  const versions = [
    { ...version!, name: "v1alpha1", served: false, storage: false },
    { ...version!, name: "v1beta1", storage: false },
    { ...version!, name: "v1" },
  ];
  const kinds = kindsOfCrd(backupCrd({ versions }));
  assert.deepEqual(
    kinds.map((kind) => [kind.version, kind.storageVersion]),
    [
      ["v1beta1", "v1"],
      ["v1", "v1"],
    ],
  );
});

test("a definition without status keeps what a create says of it", () => {
  const [version] = backupCrd().spec.versions;
  const { subresources: _, ...plain } = version!;
  assert.equal(kindsOfCrd(backupCrd({ versions: [plain] }))[0]!.prepareForCreate, undefined);
  const object = { ...backupCrd(), status: { storedVersions: [] } };
  kindsOfCrd(backupCrd())[0]!.prepareForCreate!(object);
  assert.equal("status" in object, false);
});
