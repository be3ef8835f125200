import assert from "node:assert/strict";
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { Scope } from "../lib/scope.ts";
import { keepLogShort, logBytesMax, logFile, openLogFile } from "./log-file.ts";

const base = mkdtempSync(join(tmpdir(), "kerb-log-file-"));
after(() => rmSync(base, { recursive: true }));

test("the log of a site in the background has a limit, and its last part stays", async () => {
  const clock = new FakeClock();
  const scope = new Scope();
  const output = openLogFile(base);
  keepLogShort(base, { clock, scope, output });
  const line = Buffer.alloc(logBytesMax, "a");
  for (const letter of ["a", "b", "c"]) {
    writeSync(output, line.fill(letter));
    writeSync(output, `${letter}\n`);
    await clock.advance(60_000);
    writeSync(output, `after ${letter}\n`);
  }
  assert.equal(readFileSync(logFile(base), "utf8"), "after c\n");
  const aside = readFileSync(`${logFile(base)}.1`, "utf8");
  assert.match(aside.slice(0, 20), /^after b\nccc/);
  assert.equal(statSync(`${logFile(base)}.1`).mode & 0o777, 0o600);
  await scope.close();
  closeSync(output);
});

test("output that goes elsewhere is left alone", async () => {
  const scope = new Scope();
  const file = openLogFile(base);
  writeSync(file, Buffer.alloc(logBytesMax + 1));
  const { size } = statSync(logFile(base));
  keepLogShort(base, { clock: new FakeClock(), scope });
  assert.equal(statSync(logFile(base)).size, size);
  await scope.close();
  closeSync(file);
});
