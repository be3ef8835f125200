import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceHash } from "./hash.ts";

test("devices are named by Akri's own hash", () => {
  const local = (id: string, node: string) => deviceHash(id, { shared: false, node });
  const shared = (id: string) => deviceHash(id, { shared: true, node: "any" });
  assert.equal(local("my_local_device", "my_node"), "e77db4");
  assert.equal(local("my_local_device", "my_other_node"), "099763");
  assert.equal(shared("my_shared_device"), "4294ea");
  assert.deepEqual(["foo0", "foo1"].map(shared), ["8120fe", "a19705"]);
  assert.deepEqual(["bar0", "bar1"].map(shared), ["d46b65", "ab76e6"]);
});
