import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../lib/random.ts";
import { isStatus } from "../../lib/status-error.ts";
import { decodeProtobuf } from "./decode.ts";
import { encodeProtobuf } from "./encode.ts";

const rounds = 20_000;

const seeds = [
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", labels: { x: "y" }, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      containers: [
        {
          name: "c",
          image: "i",
          livenessProbe: { httpGet: { port: "http" } },
          resources: { limits: { cpu: "1" } },
        },
      ],
      tolerations: [{ tolerationSeconds: -1 }],
    },
  },
  {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    spec: {
      versions: [
        {
          name: "v1",
          schema: {
            openAPIV3Schema: {
              properties: { a: { items: [{ type: "string" }], default: { b: [1] } } },
              additionalProperties: { type: "string" },
              dependencies: { x: ["y"] },
            },
          },
        },
      ],
    },
  },
  {
    apiVersion: "v1",
    kind: "Secret",
    data: { a: "AP8=" },
    metadata: { managedFields: [{ fieldsV1: { "f:a": {} } }] },
  },
];

test("no bytes break the reader: they are read or refused", () => {
  const random = seededRandom(11);
  const pick = (below: number) => Math.floor(random.float() * below);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const seed = encodeProtobuf(seeds[round % seeds.length]!);
    const bytes = Buffer.from(
      seed.subarray(0, random.float() < 0.3 ? 5 + pick(seed.length) : undefined),
    );
    for (let i = 0; i <= pick(4); i++) bytes[4 + pick(bytes.length - 4)] = pick(256);
    try {
      const object = decodeProtobuf(bytes);
      JSON.stringify(object);
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
    } catch (error) {
      refused++;
      assert.ok(isStatus(error, "BadRequest", "UnsupportedMediaType"), String(error));
    }
  }
  assert.ok(refused > rounds / 20 && refused < rounds);
});

test("messages within messages end at a depth", () => {
  let schema: object = { type: "object" };
  for (let i = 0; i < 300; i++) schema = { not: schema };
  const spec = { versions: [{ name: "v1", schema: { openAPIV3Schema: schema } }] };
  const head = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" };
  const bytes = encodeProtobuf({ ...head, spec } as any);
  assert.throws(() => decodeProtobuf(bytes), /exceeded max depth/);
});

test("an object that cannot be written leaves nothing behind for the next", () => {
  const good = { apiVersion: "v1", kind: "ConfigMap", data: { a: "b" } };
  const before = encodeProtobuf(good);
  const bad = { apiVersion: "v1", kind: "ConfigMap", data: { a: "b" }, binaryData: { a: 5 } };
  assert.throws(() => encodeProtobuf(bad));
  assert.deepEqual(encodeProtobuf(good), before);
});
