import assert from "node:assert/strict";
import { test } from "node:test";
import { busyNamespace } from "./network-namespace.ts";
import { signalNumber } from "./signal-number.ts";

test("signals have the kernel's numbers, real-time ones count from either end", () => {
  assert.equal(signalNumber("SIGTERM"), 15);
  assert.equal(signalNumber("SIGRTMIN+3"), 37);
  assert.equal(signalNumber("SIGRTMAX"), 64);
  assert.throws(() => signalNumber("SIGNAL"), /is not a signal/);
});

test("a network namespace that hides behind a later mount is known from containerd's words", () => {
  const message =
    "failed to remove netns: unlinkat /var/run/netns/cni-1a2b: device or resource busy";
  assert.equal(busyNamespace(message), "cni-1a2b");
  assert.equal(busyNamespace("no such file"), undefined);
});
