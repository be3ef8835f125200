import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { TaskProgress } from "./task-progress.ts";

test("whoever waits for the end is told at once when it is there, and after a while how far it is", async () => {
  const clock = new FakeClock();
  const progress = new TaskProgress(clock);
  const [early, late] = [progress.untilDone(), progress.untilDone()];
  progress.tell("transferring")(5, 10);
  await clock.advance(1000);
  for (const answer of [early, late]) {
    assert.deepEqual(await answer, { phase: "transferring", doneBytes: 5, totalBytes: 10 });
  }
  const waiting = progress.untilDone();
  progress.end();
  assert.equal((await waiting).phase, "done");
  assert.equal((await progress.untilDone()).phase, "done");
});
