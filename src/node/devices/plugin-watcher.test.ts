import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { watchPlugins } from "./plugin-watcher.ts";

test("a socket that nobody answers at is asked again and again, and told of once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-plugins-"));
  let asked = 0;
  const server = createServer((connection) => {
    asked += 1;
    connection.destroy();
  });
  server.listen(join(directory, "dead.sock"));
  await once(server, "listening");
  const [clock, scope] = [new FakeClock(), new Scope()];
  const told: string[] = [];
  const log = { ...silent, warn: (message: string) => void told.push(message) };
  try {
    await watchPlugins({ directory, handlers: {}, clock, log, scope });
    for (let again = 0; again < 3; again++) {
      const before = asked;
      await clock.advance(60_000);
      await eventually(async () => asked > before, "another question");
    }
    assert.deepEqual(told, ["a plugin was not registered"]);
  } finally {
    await scope.close();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a socket that is left of before a restart, and goes, is told of to nobody", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-plugins-"));
  const path = join(directory, "plugin.sock");
  const left = createServer();
  left.listen(join(directory, "made.sock"));
  await once(left, "listening");
  renameSync(join(directory, "made.sock"), path);
  left.close();
  const [clock, scope] = [new FakeClock(), new Scope()];
  const told: string[] = [];
  const log = { ...silent, warn: (message: string) => void told.push(message) };
  try {
    await watchPlugins({ directory, handlers: {}, clock, log, scope });
    unlinkSync(path);
    await clock.advance(60_000);
    assert.deepEqual(told, []);
  } finally {
    await scope.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
