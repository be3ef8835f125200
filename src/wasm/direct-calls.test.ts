import assert from "node:assert/strict";
import { test } from "node:test";
import { withDirectCalls } from "./direct-calls.ts";

/** As jco writes a call; `more` stands in its middle. */
const callOf = (number: number, more = "") => `
  const _trampoline${number} = function(arg0) {
    const hostProvided = true;
    let parentTask;
    createTask();
    const started = task.enterSync();
    let ret;
    try {
      ret = _withGlobalCurrentTaskMeta({
        componentIdx: task.componentIdx(),
        taskID: task.id(),
        fn: () => _trackHostOperation(() => rsc0.get(arg0)),
      })
      ;
    } catch (err) {
      _debugLog('[Instruction::CallInterface] error during sync call', {
        taskID: task.id(),
      });
      markTrapped(err);
      task.setErrored(err);
      task.reject(err);
      task.exit();
      throw err;
    }
    ${more}
    task.resolve([ret]);
    task.exit();
    return ret;
  }
  _trampoline${number}.fnName = 'my:own/task@0.2.0#get';
`;

test("a call of the host goes without a task, and still fails as it did", () => {
  const { script, direct } = withDirectCalls(callOf(1));
  assert.deepEqual(direct, ["_trampoline1"]);
  assert.match(script, /ret = \(rsc0\.get\(arg0\)\)/);
  assert.match(script, /markTrapped\(err\);\s*throw err;/);
  assert.match(script, /return ret;/);
  assert.doesNotMatch(script.replace(/'.*'/g, ""), /task/i);
});

test("a call that looks different keeps its task", () => {
  const original = callOf(1, "task.waitForMore();") + callOf(2);
  const { script, direct } = withDirectCalls(original);
  assert.deepEqual(direct, ["_trampoline2"]);
  assert.ok(script.startsWith(callOf(1, "task.waitForMore();")));
});
