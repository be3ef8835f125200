import assert from "node:assert/strict";
import { test } from "node:test";
import { bandwidthOf, shaping } from "./bandwidth.ts";

const pod = (annotations?: Record<string, string>) =>
  ({ metadata: { name: "web", ...(annotations && { annotations }) } }) as any;

test("a pod's annotations say how many bits a second it gets and sends", () => {
  assert.deepEqual(bandwidthOf(pod()), {});
  assert.deepEqual(
    bandwidthOf(
      pod({ "kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "500k" }),
    ),
    { ingress: 10_000_000, egress: 500_000 },
  );
  for (const wrong of ["10", "2P"]) {
    const annotated = pod({ "kubernetes.io/egress-bandwidth": wrong });
    assert.throws(() => bandwidthOf(annotated), /between 1k and 1P/);
  }
});

test("a bucket holds a tenth of a second, and a few packets at least", () => {
  assert.ok(shaping("veth0", 8_000_000).includes("100000b"));
  assert.ok(shaping("veth0", 8000).includes("16000b"));
});
