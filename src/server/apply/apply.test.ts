import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { isStatus, type StatusError } from "../../lib/status-error.ts";
import { applyObject } from "./apply.ts";
import { updateManagedFields } from "./managed-fields.ts";
import { definitions, freeKind, podKind } from "./test-kinds.ts";

const now = "2026-01-01T00:00:00Z";
const base = { kind: podKind, definitions, force: false, subresource: "", time: now };
type Spec = Record<string, unknown>;
const pod = (spec: Spec, metadata: Draft["metadata"] = {}): Draft => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default", ...metadata },
  ...(Object.keys(spec).length > 0 && { spec }),
});
const apply = (live: KubeObject | undefined, config: Draft, manager: string, force = false) =>
  applyObject({ ...base, ...(live && { live }), config, manager, force });

function update(old: KubeObject | undefined, object: Draft, manager: string, subresource = "") {
  const next = { ...object } as KubeObject;
  const options = { ...base, object: next, ...(old && { old }), manager, subresource };
  const entries = updateManagedFields(options);
  const { managedFields: _, ...metadata } = next.metadata;
  return { ...next, metadata: { ...metadata, ...(entries && { managedFields: entries }) } };
}
const owned = (object: KubeObject, manager: string) =>
  object.metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;

const web = { name: "web", image: "a" };

test("an apply that creates owns leaves and items", () => {
  const object = apply(undefined, pod({ containers: [web] }, { labels: { app: "x" } }), "m");
  assert.deepEqual(object.spec, { containers: [web] });
  assert.deepEqual(object.metadata.managedFields, [
    {
      manager: "m",
      operation: "Apply",
      apiVersion: "v1",
      time: now,
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:metadata": { "f:labels": { "f:app": {} } },
        "f:spec": {
          "f:containers": { 'k:{"name":"web"}': { ".": {}, "f:name": {}, "f:image": {} } },
        },
      },
    },
  ]);
});

test("a field that is applied no longer goes", () => {
  const first = apply(undefined, pod({ containers: [web], replicas: 2 }), "m");
  const second = apply(first, pod({ containers: [web] }), "m");
  assert.deepEqual(second.spec, { containers: [web] });
});

test("a field that is applied no longer stays while another manager applies it too", () => {
  const first = apply(undefined, pod({ replicas: 2 }), "a");
  const both = apply(first, pod({ replicas: 2 }), "b");
  const left = apply(both, pod({}), "a");
  assert.deepEqual(left.spec, { replicas: 2 });
  assert.equal(owned(left, "a"), undefined);
  assert.deepEqual(owned(left, "b"), { "f:spec": { "f:replicas": {} } });
});

test("an item goes with what was defaulted in it", () => {
  const first = apply(undefined, pod({ containers: [web, { name: "b", image: "b" }] }), "m");
  first.spec.containers[1].imagePullPolicy = "Always";
  const second = apply(first, pod({ containers: [web] }), "m");
  assert.deepEqual(second.spec.containers, [web]);
});

test("one conflict is told as upstream tells it", () => {
  const live = update(undefined, pod({ replicas: 1 }), "kubectl");
  assert.throws(
    () => apply(live, pod({ replicas: 2 }), "m"),
    (error: StatusError) => {
      assert.ok(isStatus(error, "Conflict"));
      assert.equal(error.code, 409);
      assert.equal(
        error.message,
        'Apply failed with 1 conflict: conflict with "kubectl" using v1: .spec.replicas',
      );
      assert.deepEqual(error.details?.causes, [
        {
          reason: "FieldManagerConflict",
          message: 'conflict with "kubectl" using v1',
          field: ".spec.replicas",
        },
      ]);
      return true;
    },
  );
});

test("several conflicts are listed by manager", () => {
  const created = update(undefined, pod({ replicas: 1, restartPolicy: "Always" }), "kubectl");
  const live = apply(created, pod({ containers: [web] }), "other");
  const config = pod({ replicas: 2, restartPolicy: "Never", containers: [{ ...web, image: "b" }] });
  assert.throws(() => apply(live, config, "m"), {
    message:
      "Apply failed with 3 conflicts: " +
      'conflicts with "kubectl" using v1:\n- .spec.replicas\n- .spec.restartPolicy\n' +
      'conflicts with "other":\n- .spec.containers[name="web"].image',
  });
});

test("a conflict names the subresource", () => {
  const created = update(undefined, pod({ replicas: 1 }), "a");
  const scaled = update(created, { ...created, spec: { replicas: 5 } }, "hpa", "scale");
  assert.throws(() => apply(scaled, pod({ replicas: 2 }), "m"), {
    message:
      'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using v1: ' +
      ".spec.replicas",
  });
});

test("force takes ownership", () => {
  const live = update(undefined, pod({ replicas: 1, restartPolicy: "Always" }), "kubectl");
  const object = apply(live, pod({ replicas: 2 }), "m", true);
  assert.deepEqual(object.spec, { replicas: 2, restartPolicy: "Always" });
  assert.deepEqual(owned(object, "kubectl"), { "f:spec": { "f:restartPolicy": {} } });
  assert.deepEqual(owned(object, "m"), { "f:spec": { "f:replicas": {} } });
});

test("equal values are shared without conflict", () => {
  const live = update(undefined, pod({ replicas: 1 }), "kubectl");
  const object = apply(live, pod({ replicas: 1 }), "m");
  assert.deepEqual(owned(object, "kubectl"), { "f:spec": { "f:replicas": {} } });
  assert.deepEqual(owned(object, "m"), { "f:spec": { "f:replicas": {} } });
});

test("the first apply to an object without managed fields meets before-first-apply", () => {
  const live = pod({ replicas: 1 }) as KubeObject;
  assert.throws(() => apply(live, pod({ replicas: 2 }), "m"), {
    message:
      'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .spec.replicas',
  });
});

test("kubectl does not conflict with its own last client-side apply", () => {
  const lastApplied = JSON.stringify(pod({ replicas: 1 }));
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": lastApplied };
  const live = update(undefined, pod({ replicas: 1 }, { annotations }), "kubectl-client-side");
  const object = apply(live, pod({ replicas: 2 }), "kubectl");
  assert.equal(object.spec.replicas, 2);
  assert.match(
    object.metadata.annotations!["kubectl.kubernetes.io/last-applied-configuration"]!,
    /"replicas":2/,
  );
});

test("items stand in the order applied, live ones between", () => {
  const gates = (...names: string[]) => ({ schedulingGates: names.map((name) => ({ name })) });
  const cases: [string[], string[], string[]][] = [
    [
      ["a", "b"],
      ["b", "a"],
      ["b", "a"],
    ],
    [
      ["a", "b", "c"],
      ["c", "a"],
      ["b", "c", "a"],
    ],
    [
      ["a", "x", "b"],
      ["a", "b", "c"],
      ["a", "x", "b", "c"],
    ],
    [["x"], ["a"], ["x", "a"]],
    [
      ["a", "b", "c", "d"],
      ["d", "b"],
      ["a", "c", "d", "b"],
    ],
  ];
  for (const [live, config, merged] of cases) {
    const old = update(undefined, pod(gates(...live)), "u");
    const object = apply(old, pod(gates(...config)), "m");
    assert.deepEqual(object.spec, gates(...merged), `${live} + ${config}`);
  }
});

test("a key that is absent counts as its default", () => {
  const port = (rest: object) => pod({ containers: [{ ...web, ports: [rest] }] });
  const live = update(undefined, port({ containerPort: 80, protocol: "TCP" }), "u");
  const object = apply(live, port({ containerPort: 80, name: "http" }), "m");
  const ports = [{ containerPort: 80, protocol: "TCP", name: "http" }];
  assert.deepEqual(object.spec.containers[0].ports, ports);
});

test("configurations that cannot be applied are refused", () => {
  const prefix = "failed to create typed patch object (default/p; v1, Kind=Pod): ";
  const cases: [Draft, string][] = [
    [
      pod({ containers: [web, web] }),
      `${prefix}.spec.containers: duplicate entries for key [name="web"]`,
    ],
    [
      pod({ containers: [{ image: "a" }] }),
      `${prefix}.spec.containers: element 0: associative list with keys has an element that ` +
        'omits key field "name" (and doesn\'t have default value)',
    ],
    [pod({ foo: 1 }), `${prefix}.spec.foo: field not declared in schema`],
    [
      pod({ replicas: "x" }),
      `${prefix}.spec.replicas: expected numeric (int or float), got string`,
    ],
    [pod({}, { managedFields: [{} as never] }), "metadata.managedFields must be nil"],
  ];
  for (const [config, message] of cases) {
    assert.throws(() => apply(undefined, config, "m"), { message });
  }
  assert.throws(() => apply(undefined, pod({}), ""), {
    message:
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: ' +
      "is required for apply patch",
  });
});

test("status is owned through the status subresource only", () => {
  const config = { ...pod({ replicas: 1 }), status: { phase: "Running" } };
  const object = apply(undefined, config, "m");
  assert.deepEqual(owned(object, "m"), { "f:spec": { "f:replicas": {} } });
  const status = applyObject({
    ...base,
    live: object,
    config,
    manager: "s",
    subresource: "status",
  });
  assert.deepEqual(owned(status, "s"), { "f:status": { "f:phase": {} } });
});

const name = fc.constantFrom("a", "b", "c");
const spec = fc.record(
  {
    replicas: fc.nat(3),
    nodeSelector: fc.dictionary(name, fc.constant("x")),
    schedulingGates: fc.uniqueArray(fc.record({ name }), { selector: (gate) => gate.name }),
    containers: fc.uniqueArray(
      fc.record({ name, image: name, args: fc.array(name) }, { requiredKeys: ["name"] }),
      { selector: (container) => container.name },
    ),
  },
  { requiredKeys: [] },
);
const config = spec.map((value) => pod(value));

test("applying the same configuration twice changes nothing", () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const live = update(undefined, first, "u");
      const once = apply(live, second, "m", true);
      assert.equal(apply(once, second, "m"), once);
    }),
  );
});

test("applying and then applying nothing leaves what was there before, where nothing was shared", () => {
  fc.assert(
    fc.property(config, (all) => {
      const live = update(undefined, pod({ restartPolicy: "Always" }), "u");
      const gone = apply(apply(live, all, "m"), pod({}), "m");
      assert.deepEqual(gone.spec, { restartPolicy: "Always" });
      assert.equal(owned(gone, "m"), undefined);
    }),
  );
});

test("what is applied stands in the object, whoever was there before", () => {
  fc.assert(
    fc.property(config, config, (first, second) => {
      const object = apply(apply(undefined, first, "a"), second, "b", true);
      assert.equal(object.spec?.replicas, second.spec?.replicas ?? first.spec?.replicas);
      for (const container of second.spec?.containers ?? []) {
        const found = object.spec.containers.find((c: any) => c.name === container.name);
        assert.deepEqual({ ...found, ...container }, { ...found });
      }
    }),
  );
});

test("a kind without a schema merges maps and replaces lists", () => {
  const free = (spec: object) =>
    ({ apiVersion: "example.com/v1", kind: "Free", metadata: { name: "f" }, spec }) as Draft;
  const options = { ...base, kind: freeKind, manager: "a" };
  const first = applyObject({ ...options, config: free({ x: { a: 1 }, list: [1, 2] }) });
  const config = free({ x: { b: 2 }, list: [3] });
  const second = applyObject({ ...options, live: first, config, manager: "b", force: true });
  assert.deepEqual(second.spec, { x: { a: 1, b: 2 }, list: [3] });
});
