import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { FakeRuntime } from "../../node/fake-runtime.ts";
import type { RuntimePod, SandboxConfig } from "../../node/runtime.ts";
import { stopPod } from "./stop-pod.ts";

async function podOf(runtime: FakeRuntime): Promise<RuntimePod> {
  await runtime.runSandbox({ podUid: "u", name: "web", namespace: "default" } as SandboxConfig);
  return [...(await runtime.pods()).values()][0]!;
}

/** containerd's answer until the start has come to its end. */
function busyFor(runtime: FakeRuntime, times: number) {
  const remove = runtime.removeSandbox.bind(runtime);
  runtime.removeSandbox = async (id) => {
    if (times-- > 0) throw new Error("container is in starting state, can't be removed");
    await remove(id);
  };
}

test("a pod whose container is starting still is removed once that is over", async () => {
  const clock = new FakeClock();
  const runtime = new FakeRuntime({ clock });
  const pod = await podOf(runtime);
  busyFor(runtime, 3);
  const stopped = stopPod({ runtime, pod, clock });
  for (let i = 0; i < 4; i++) await clock.advance(250);
  await stopped;
  assert.equal((await runtime.pods()).size, 0);
});

test("one that never ends is told of, so that it can be killed", async () => {
  const clock = new FakeClock();
  const runtime = new FakeRuntime({ clock });
  const pod = await podOf(runtime);
  busyFor(runtime, Infinity);
  const stopped = assert.rejects(stopPod({ runtime, pod, clock }), /starting state/);
  for (let i = 0; i < 100; i++) await clock.advance(250);
  await stopped;
});
