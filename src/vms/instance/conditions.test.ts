import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, whyEnded } from "./conditions.ts";

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

test("a guest that was not to end says what ended it", () => {
  const evicted: any = { ...pod({}), status: { reason: "Evicted", message: "low on disk" } };
  assert.equal(whyEnded(evicted), "Evicted: low on disk");
  const by = (terminated: object) => whyEnded(pod({ terminated }));
  assert.equal(by({ reason: "Error", exitCode: 137 }), "QEMU was ended by signal 9");
  assert.match(by({ reason: "Unknown", exitCode: 255 })!, /gone when its node came back/);
  assert.match(by({ reason: "OOMKilled", exitCode: 137 })!, /more memory than its limit/);
  assert.match(by({ reason: "Error", exitCode: 1, message: "no such disk" })!, /no such disk/);
  assert.equal(by({ reason: "Completed", exitCode: 0 }), undefined);
  assert.equal(whyEnded(undefined), undefined);
});
