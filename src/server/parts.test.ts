import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kinds/kinds.ts";
import type { KubeObject } from "../kinds/object.ts";
import { keepToPart } from "./parts.ts";

const kind = builtinKinds().get("certificates.k8s.io", "v1", "certificatesigningrequests")!;
const request = (signerName: string, status: object) =>
  ({ metadata: { name: "a" }, spec: { signerName }, status }) as unknown as KubeObject;
const condition = (type: string, message: string) => ({ type, status: "True", message });

test("a signer writes its certificate and leaves the approval as the approver wrote it", () => {
  const old = request("a", { conditions: [condition("Approved", "by hand")] });
  const conditions = [condition("Failed", "why"), condition("Approved", "x")];
  const kept = keepToPart(kind, "status", request("b", { conditions, certificate: "c" }), old);
  assert.deepEqual(kept.spec, old.spec);
  assert.deepEqual(kept.status, {
    certificate: "c",
    conditions: [condition("Failed", "why"), condition("Approved", "by hand")],
  });
});

test("what a certificate is asked for does not change once it was asked", () => {
  const old = request("a", { certificate: "c" });
  const kept = keepToPart(kind, "", request("b", {}), old);
  assert.deepEqual([kept.spec, kept.status], [old.spec, old.status]);
});
