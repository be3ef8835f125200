import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { silent } from "../../lib/log.ts";
import { auditFilesOf, RotatingFile } from "./audit-log.ts";

test("a full audit log is set aside, and the newest few are kept", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const log = join(directory, "deep", "audit.log");
  const file = new RotatingFile({ log, sizeBytesMax: 25, backupsMax: 2 }, silent);
  for (let i = 0; i < 5; i++) {
    file.write(`line number ${i}`);
    file.write("x");
    await turn();
  }
  file.close();
  assert.deepEqual(readdirSync(join(directory, "deep")).sort(), [
    "audit.log",
    "audit.log.1",
    "audit.log.2",
  ]);
  assert.equal(readFileSync(log, "utf8"), "line number 4\nx\n");
  assert.equal(readFileSync(`${log}.2`, "utf8"), "line number 2\nx\n");
  assert.equal(statSync(log).mode & 0o777, 0o600);
});

test("without a policy there is no audit log", () => {
  assert.equal(auditFilesOf({ dataDir: "/d" }), undefined);
  assert.throws(() => auditFilesOf({ dataDir: "/d", auditLog: "/l" }), /needs --audit-policy/);
  assert.equal(auditFilesOf({ dataDir: "/d", auditPolicy: "/p" })?.log, "/d/audit.log");
});
