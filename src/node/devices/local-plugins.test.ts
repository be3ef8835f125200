import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Scope } from "../../lib/scope.ts";
import { LocalPlugins } from "./local-plugins.ts";
import type { LocalPlugin } from "./local-plugins.ts";

const plugin = (resourceName: string, keepOnly: LocalPlugin["keepOnly"]): LocalPlugin => ({
  resourceName,
  devices: () => [],
  onChange: () => () => {},
  allocate: async () => ({ envs: {}, mounts: [], devices: [] }),
  keepOnly,
});

test("a plugin hears what pods hold when it asks, not what they held when another was told before it", async () => {
  const clock = new FakeClock();
  const scope = new Scope();
  const plugins = new LocalPlugins(clock, scope);
  const held = new Map<string, string[]>();
  const slow = Promise.withResolvers<boolean>();
  const heard: string[][] = [];
  plugins.add(plugin("example.com/slow", () => slow.promise));
  plugins.add(
    plugin("example.com/camera", async (now) => {
      heard.push(now());
      return false;
    }),
  );
  plugins.follow({ added: () => {}, removed: () => {}, held: () => held });
  await clock.advance(0);
  held.set("example.com/camera", ["camera-0"]);
  slow.resolve(false);
  await clock.advance(0);
  assert.deepEqual(heard[0], ["camera-0"]);
  await scope.close();
});
