import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { FakeRuntime } from "./fake-runtime.ts";
import type { SandboxConfig } from "./runtime.ts";
import { shareRuntime } from "./shared-runtime.ts";

const config = (podUid: string) =>
  ({ podUid, name: podUid, namespace: "default", attempt: 0, labels: {} }) as SandboxConfig;

test("nodes that share a runtime see their own pods only, and none collects the other's images", async () => {
  const runtime = new FakeRuntime({ clock: new FakeClock() });
  const first = shareRuntime(runtime);
  const second = shareRuntime(runtime, "second");
  await first.runSandbox(config("a"));
  await second.runSandbox(config("b"));
  assert.deepEqual([...(await first.pods()).keys()], ["a"]);
  assert.deepEqual([...(await second.pods()).keys()], ["b"]);
  assert.equal(await first.pod("b"), undefined);
  assert.equal((await second.pod("b"))?.sandboxes[0]?.name, "b");
  assert.deepEqual(await second.listImages(), []);
  assert.equal(first.version, runtime.version);
});
