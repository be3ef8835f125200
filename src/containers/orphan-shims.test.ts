import assert from "node:assert/strict";
import { test } from "node:test";
import { shimOf } from "./orphan-shims.ts";

const line = (...words: string[]) => `${words.join("\0")}\0`;
const shim = "/usr/bin/containerd-shim-runc-v2";

test("a shim is known by the socket it was started with", () => {
  const command = line(shim, "-namespace", "k8s.io", "-id", "abc", "-address", "/site/c.sock");
  assert.deepEqual(shimOf(7, command, "/site/c.sock"), { pid: 7, id: "abc" });
  assert.equal(shimOf(7, command, "/other/c.sock"), undefined);
  assert.equal(
    shimOf(7, line("vi", "-address", "/site/c.sock", "-id", "abc"), "/site/c.sock"),
    undefined,
  );
  assert.equal(shimOf(7, line(shim, "-address", "/site/c.sock"), "/site/c.sock"), undefined);
});
