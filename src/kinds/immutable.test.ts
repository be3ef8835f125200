import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "./kinds.ts";
import { claim, kindOf } from "./test-objects.ts";

const kinds = builtinKinds();

const cases: [group: string, plural: string, old: object, now: object, error?: string][] = [
  ["scheduling.k8s.io", "priorityclasses", { value: 1 }, { value: 1, description: "x" }],
  [
    "scheduling.k8s.io",
    "priorityclasses",
    { value: 1 },
    { value: 2 },
    "value: Forbidden: may not be changed in an update.",
  ],
  [
    "storage.k8s.io",
    "storageclasses",
    { provisioner: "a" },
    { provisioner: "b" },
    'provisioner: Invalid value: "b": field is immutable',
  ],
  [
    "networking.k8s.io",
    "ingressclasses",
    { spec: { controller: "a.b/c" } },
    { spec: { controller: "a.b/d" } },
    'spec.controller: Invalid value: "a.b/d": field is immutable',
  ],
];

for (const [group, plural, old, now, error] of cases) {
  test(`${plural}: ${JSON.stringify(old)} to ${JSON.stringify(now)}`, () => {
    const kind = kinds.get(group, "v1", plural)!;
    const metadata = { name: "one", uid: "1", resourceVersion: "1", creationTimestamp: "" };
    const found = kind.validate!({
      object: { apiVersion: `${group}/v1`, kind: kind.kind, metadata, ...now },
      old: { apiVersion: `${group}/v1`, kind: kind.kind, metadata, ...old },
      subresource: "",
    });
    assert.deepEqual(
      found.map(({ field, message }) => `${field}: ${message}`),
      error ? [error] : [],
    );
  });
}

test("a claim that has no class may be given one, and no other than it has", () => {
  const validate = kindOf("PersistentVolumeClaim").validate!;
  const claimOf = (storageClassName?: string) =>
    ({
      metadata: { name: "a" },
      spec: { ...claim("1Gi", "ReadWriteOnce").spec, storageClassName },
    }) as any;
  const judge = (before?: string, after?: string) =>
    validate({ object: claimOf(after), old: claimOf(before), subresource: "" }).length;
  assert.deepEqual([judge(undefined, "fast"), judge("slow", "fast"), judge("slow")], [0, 1, 1]);
});
