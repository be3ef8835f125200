import assert from "node:assert/strict";
import { test } from "node:test";
import { withSuspension } from "./suspended-script.ts";

/** What jco's scripts look like where it counts. */
const script = `
export function instantiate() {
  if (!globalThis?.process?.env?.JCO_DEBUG) { return; }
  const _trampoline4 = function(arg0, arg1) {
    var rep2 = handleTable3[(handle1 << 1) + 1] & ~T_FLAG;
    _debugLog('[Instruction::CallInterface]');
  }
  _trampoline4.fnName = 'wasi:io/streams@0.2.3#blockingRead';
  const _trampoline5 = function(arg0, arg1, arg2) {
    var handle1 = dataView(memory0).getInt32(base + 0, true);
    var rep2 = handleTable7[(handle1 << 1) + 1] & ~T_FLAG;
    _debugLog('[Instruction::CallInterface]');
  }
  _trampoline5.fnName = 'wasi:io/poll@0.2.3#poll';
  _trampoline6.fnName = 'my:own/streams@0.2.3#blockingRead';
  ({ exports: exports0 } = instantiateCore(module1));
}
`;

test("imports that may wait are told how, before the first instance is made", () => {
  const made = withSuspension(script);
  const added = made.split("\n").filter((line) => line.includes("suspending("));
  assert.equal(added.length, 2);
  assert.match(added[0]!, /trampoline4 = .*trampoline4, "blockingRead", .*captureTable3/);
  assert.match(added[1]!, /trampoline5 = .*"poll", .*captureTable7.*word: .*memory0/);
  assert.ok(made.indexOf(added[1]!) < made.indexOf("exports0"));
  assert.ok(!made.includes("JCO_DEBUG") && made.includes("exports.instantiate = "));
});

test("a script that looks different is not changed by halves", () => {
  assert.throws(() => withSuspension("nothing"), /another way to trace/);
  assert.throws(() => withSuspension(script.replace("exports0", "other")), /makes no instance/);
  assert.throws(
    () => withSuspension(script.replace("const _trampoline5 = ", "")),
    /no _trampoline5/,
  );
});
