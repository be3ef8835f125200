import assert from "node:assert/strict";
import { test } from "node:test";
import { isStatus } from "../../lib/status-error.ts";
import { decodeProtobuf } from "./decode.ts";

/** Length-delimited field `id`. */
const field = (id: number, content: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(id * 8 + 2), varint(bytes.length), bytes]);
};

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Buffer.from(out);
}

const number = (id: number, value: number) => Buffer.concat([varint(id * 8), varint(value)]);
const join = (...parts: Uint8Array[]) => Buffer.concat(parts);

const envelope = (apiVersion: string, kind: string, raw: Uint8Array) =>
  join(
    Buffer.from("k8s\0"),
    field(1, join(field(1, apiVersion), field(2, kind))),
    field(2, raw),
    field(3, ""),
    field(4, ""),
  );

test("maps, bytes and metadata are read; zero times and empty strings are not set", () => {
  const metadata = join(
    field(1, "a"),
    field(2, ""),
    field(8, ""),
    field(11, join(field(1, "k"), field(2, ""))),
  );
  const raw = join(
    field(1, metadata),
    field(2, join(field(1, "x"), field(2, ""))),
    field(3, join(field(1, "b"), field(2, Buffer.from([0, 255])))),
  );
  assert.deepEqual(decodeProtobuf(envelope("v1", "ConfigMap", raw)), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", labels: { k: "" } },
    data: { x: "" },
    binaryData: { b: "AP8=" },
  });
});

test("embedded structs, quantities, alternatives, times and negative numbers are read", () => {
  const container = join(
    field(1, "c"),
    field(8, field(1, join(field(1, "cpu"), field(2, field(1, "100m"))))),
    field(
      10,
      field(1, field(2, join(field(1, "/x"), field(2, join(number(1, 1), field(3, "http")))))),
    ),
  );
  const volume = join(field(1, "v"), field(2, field(2, "")));
  const toleration = join(field(1, "k"), number(5, -1));
  const spec = join(field(1, volume), field(2, container), field(22, toleration), number(4, 0));
  const metadata = join(field(1, "p"), field(8, number(1, 1767225600)));
  const pod = decodeProtobuf(envelope("v1", "Pod", join(field(1, metadata), field(2, spec))));
  assert.equal(pod["metadata"].creationTimestamp, "2026-01-01T00:00:00Z");
  assert.deepEqual(pod["spec"], {
    volumes: [{ name: "v", emptyDir: {} }],
    containers: [
      {
        name: "c",
        resources: { limits: { cpu: "100m" } },
        livenessProbe: { httpGet: { path: "/x", port: "http" } },
      },
    ],
    tolerations: [{ key: "k", tolerationSeconds: -1 }],
    terminationGracePeriodSeconds: 0,
  });
});

test("what is not a known object is refused", () => {
  const cases: [Buffer, "BadRequest" | "UnsupportedMediaType"][] = [
    [Buffer.from("{}"), "BadRequest"],
    [envelope("example.com/v1", "Gadget", Buffer.alloc(0)), "UnsupportedMediaType"],
    [envelope("v1", "ConfigMap", field(1, "abc").subarray(0, 3)), "BadRequest"],
  ];
  for (const [bytes, reason] of cases) {
    assert.throws(
      () => decodeProtobuf(bytes),
      (error) => isStatus(error, reason),
    );
  }
});

test("zeros that Go writes for what nobody set are not set; those behind a pointer are", () => {
  const schema = join(
    field(5, "object"),
    number(10, 0),
    number(12, 0),
    number(37, 0),
    number(39, 0),
    number(40, 0),
    number(38, 0),
  );
  const version = join(field(1, "v1"), number(2, 1), number(3, 0), field(4, field(1, schema)));
  const crd = field(2, field(7, version));
  const read = decodeProtobuf(envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd));
  assert.deepEqual(read["spec"].versions, [
    {
      name: "v1",
      served: true,
      storage: false,
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": false },
      },
    },
  ]);
});
