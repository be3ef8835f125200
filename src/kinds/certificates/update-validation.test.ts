import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../object.ts";
import { requestUpdateErrors } from "./update-validation.ts";

const request = (types: string[], certificate?: string, message = "") =>
  ({
    metadata: { name: "a" },
    status: { conditions: types.map((type) => ({ type, status: "True", message })), certificate },
  }) as unknown as KubeObject;

const told = (object: KubeObject, old: KubeObject, subresource: string) =>
  requestUpdateErrors({ object, old, subresource }, old).map(({ message }) => message);

test("only an approval approves or denies a request for a certificate", () => {
  assert.deepEqual(told(request(["Approved"]), request([]), "approval"), []);
  const added = told(request(["Denied"]), request([]), "status");
  assert.match(added.join(), /^Forbidden: updates may not add a condition of type "Denied"$/);
  const changed = told(request(["Approved"], "", "x"), request(["Approved"]), "status");
  assert.match(changed.join(), /may not modify a condition of type "Approved"/);
});

test("what was said of a request and its certificate stays", () => {
  for (const subresource of ["approval", "status"]) {
    const removed = told(request([]), request(["Failed"]), subresource);
    assert.match(removed.join(), /may not remove a condition of type "Failed"/);
  }
  assert.deepEqual(told(request([], "a"), request([]), "status"), []);
  assert.match(told(request([], "b"), request([], "a"), "status").join(), /modify existing/);
  assert.match(told(request([], "b"), request([]), "approval").join(), /may not set certificate/);
});
