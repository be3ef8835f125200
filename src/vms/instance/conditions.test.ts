import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "./conditions.ts";

const vmi: any = { metadata: { name: "till" }, status: {} };
const pod = (state: object): any => ({
  metadata: { name: "launcher" },
  status: { phase: "Failed", containerStatuses: [{ name: "compute", state }] },
});
const synchronized = (state: object) =>
  judge({ vmi, pod: pod(state), phase: "Failed", failure: undefined, disksReady: undefined })
    .wanted.filter(({ type }) => type === "Synchronized")
    .map(({ reason, message }) => [reason, message]);

test("an instance says in its node's words why QEMU was not started, or its image not pulled", () => {
  const wrapped =
    "failed to create containerd task: OCI runtime create failed: tpm: this node has no swtpm: unknown";
  const terminated = { reason: "StartError", exitCode: 128, message: wrapped };
  assert.deepEqual(synchronized({ terminated }), [["StartError", "tpm: this node has no swtpm"]]);
  const waiting = { reason: "ErrImagePull", message: "no such image" };
  assert.deepEqual(synchronized({ waiting }), [["ErrImagePull", "no such image"]]);
  assert.deepEqual(synchronized({ terminated: { reason: "Error", exitCode: 1 } }), []);
});
