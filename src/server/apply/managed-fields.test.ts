import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject, ManagedFieldsEntry } from "../../kinds/object.ts";
import { updateManagedFields } from "./managed-fields.ts";
import { managerOf, updateManagersMax } from "./managers.ts";
import { definitions, podKind } from "./test-kinds.ts";

const time = "2026-01-01T00:00:00Z";
const later = "2026-01-02T00:00:00Z";
const options = { kind: podKind, definitions, manager: "m", subresource: "", time };
const pod = (rest: object, entries?: ManagedFieldsEntry[]) =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", ...(entries && { managedFields: entries }) },
    ...rest,
  }) as KubeObject;
const fields = (entries: ManagedFieldsEntry[] | undefined, manager: string) =>
  entries?.find((entry) => entry.manager === manager)?.fieldsV1;

test("a create owns what it wrote, as upstream writes it", () => {
  const object = pod({
    spec: {
      containers: [{ name: "web", image: "a", resources: { limits: { cpu: "1" } }, args: ["x"] }],
      securityContext: {},
      nodeSelector: { disk: "ssd" },
    },
    status: { phase: "Pending" },
  });
  object.metadata.labels = { app: "x" };
  object.metadata.finalizers = ["a/b"];
  assert.deepEqual(fields(updateManagedFields({ ...options, object }), "m"), {
    "f:metadata": {
      "f:labels": { ".": {}, "f:app": {} },
      "f:finalizers": { ".": {}, 'v:"a/b"': {} },
    },
    "f:spec": {
      "f:containers": {
        'k:{"name":"web"}': {
          ".": {},
          "f:name": {},
          "f:image": {},
          "f:args": {},
          "f:resources": { ".": {}, "f:limits": { ".": {}, "f:cpu": {} } },
        },
      },
      "f:securityContext": {},
      "f:nodeSelector": {},
    },
  });
});

test("an update takes what it changed and drops what it removed", () => {
  const spec = { replicas: 1, restartPolicy: "Always" };
  const created = updateManagedFields({ ...options, object: pod({ spec }) })!;
  const old = pod({ spec }, created);
  const object = pod({ spec: { replicas: 2 } }, created);
  const entries = updateManagedFields({ ...options, object, old, manager: "n", time: later });
  assert.deepEqual(fields(entries, "n"), { "f:spec": { "f:replicas": {} } });
  assert.equal(fields(entries, "m"), undefined);
});

test("an update that changes nothing keeps the entries as they are", () => {
  const created = updateManagedFields({ ...options, object: pod({ spec: { replicas: 1 } }) })!;
  const old = pod({ spec: { replicas: 1 } }, created);
  const object = pod({ spec: { replicas: 1 } }, structuredClone(created));
  assert.equal(updateManagedFields({ ...options, object, old, time: later }), created);
});

test("the time stays while a manager changes only what it owns already", () => {
  const created = updateManagedFields({ ...options, object: pod({ spec: { replicas: 1 } }) })!;
  const old = pod({ spec: { replicas: 1 } }, created);
  const object = pod({ spec: { replicas: 2 } }, created);
  assert.equal(updateManagedFields({ ...options, object, old, time: later })![0]!.time, time);
});

test("a status write owns no spec", () => {
  const created = updateManagedFields({ ...options, object: pod({ spec: { replicas: 1 } }) })!;
  const old = pod({ spec: { replicas: 1 } }, created);
  const object = pod({ spec: { replicas: 9 }, status: { phase: "Running" } }, created);
  const write = { ...options, object, old, manager: "kubelet", subresource: "status" };
  const entries = updateManagedFields(write)!;
  assert.deepEqual(fields(entries, "kubelet"), { "f:status": { "f:phase": {} } });
  assert.equal(entries.find((entry) => entry.manager === "kubelet")?.subresource, "status");
  assert.deepEqual(fields(entries, "m"), { "f:spec": { "f:replicas": {} } });
});

test("an empty entry clears the managed fields, and they stay away", () => {
  const created = updateManagedFields({ ...options, object: pod({ spec: { replicas: 1 } }) })!;
  const old = pod({ spec: { replicas: 1 } }, created);
  const object = pod({ spec: { replicas: 2 } }, [{} as ManagedFieldsEntry]);
  assert.equal(updateManagedFields({ ...options, object, old }), undefined);
  const cleared = pod({ spec: { replicas: 2 } });
  const next = pod({ spec: { replicas: 3 } });
  assert.equal(updateManagedFields({ ...options, object: next, old: cleared }), undefined);
});

test("a client may write entries, and unreadable ones are passed over", () => {
  const created = updateManagedFields({ ...options, object: pod({ spec: { replicas: 1 } }) })!;
  const old = pod({ spec: { replicas: 1 } }, created);
  const renamed = pod(
    { spec: { replicas: 1 } },
    created.map((entry) => ({ ...entry, manager: "other" })),
  );
  const entries = updateManagedFields({ ...options, object: renamed, old });
  assert.deepEqual(fields(entries, "other"), { "f:spec": { "f:replicas": {} } });
  const broken = [{ ...created[0]!, fieldsV1: { x: 1 } }];
  const object = pod({ spec: { replicas: 1 } }, broken);
  assert.equal(updateManagedFields({ ...options, object, old }), created);
});

test("the oldest updaters are merged over the limit", () => {
  let old = pod({ spec: { replicas: 1 } });
  old.metadata.managedFields = updateManagedFields({ ...options, object: old })!;
  for (let i = 0; i < updateManagersMax + 5; i++) {
    const labels = { ...old.metadata.labels, [`l${i}`]: "x" };
    const object = { ...old, metadata: { ...old.metadata, labels } };
    const at = `2026-02-01T00:00:${10 + i}Z`;
    const write = { ...options, object, old, manager: `m${i}`, time: at };
    object.metadata.managedFields = updateManagedFields(write)!;
    old = object;
  }
  const entries = old.metadata.managedFields!;
  assert.equal(entries.length, updateManagersMax);
  assert.equal(entries[0]?.manager, "ancient-changes");
});

test("items with equal keys are compared together", () => {
  const env = (...values: string[]) =>
    pod({
      spec: { containers: [{ name: "a", env: values.map((value) => ({ name: "E", value })) }] },
    });
  const old = env("1", "2");
  old.metadata.managedFields = updateManagedFields({ ...options, object: old })!;
  const entries = updateManagedFields({ ...options, object: env("1", "3"), old, manager: "n" });
  assert.deepEqual(fields(entries, "n"), {
    "f:spec": { "f:containers": { 'k:{"name":"a"}': { "f:env": { 'k:{"name":"E"}': {} } } } },
  });
});

test("the manager is the parameter, else the head of the user agent", () => {
  const cases: [string | null, string | undefined, string][] = [
    ["me", "kubectl/v1.35", "me"],
    [null, "kubectl/v1.35 (linux/amd64)", "kubectl"],
    ["", undefined, "unknown"],
    [null, "x".repeat(200), "x".repeat(128)],
  ];
  for (const [parameter, agent, name] of cases) assert.equal(managerOf(parameter, agent), name);
});
