import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ContainerLog, entriesOf, linesOf } from "./container-log.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-log-"));
after(() => rmSync(folder, { recursive: true }));
const now = () => Date.parse("2026-01-02T03:04:05.678Z");
const head = "2026-01-02T03:04:05.678000000Z";
const text = (line: string) => Buffer.from(line);

test("what is written is taken apart at its newlines", () => {
  const { whole, rest } = linesOf(text("one\n\ntwo\nthr"));
  assert.deepEqual(
    whole.map((line) => Buffer.from(line).toString()),
    ["one", "", "two"],
  );
  assert.equal(Buffer.from(rest).toString(), "thr");
});

test("a line that is too long is written in pieces, and only its last one is whole", () => {
  const entries = Buffer.concat(entriesOf(Buffer.alloc(20_000, "x"), "T stdout", true)).toString();
  const lines = entries.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => [line.slice(0, 10), line.length]),
    [
      ["T stdout P", 16_384 + 11],
      ["T stdout F", 3616 + 11],
    ],
  );
});

test("a line is written when it is whole, and what was begun before a wait or the end", () => {
  const path = join(folder, "whole");
  writeFileSync(path, "");
  const log = new ContainerLog({ path, now });
  log.write("stdout", text("be"));
  log.write("stderr", text("warned\n"));
  assert.equal(readFileSync(path, "utf8"), `${head} stderr F warned\n`);
  log.write("stdout", text("gun\nask: "));
  log.flush();
  const lines = readFileSync(path, "utf8").split("\n").slice(1, -1);
  assert.deepEqual(lines, [`${head} stdout F begun`, `${head} stdout P ask: `]);
});

test("where a guest lets others act, what it began is written then", () => {
  const path = join(folder, "soon");
  writeFileSync(path, "");
  const waiting: (() => void)[] = [];
  const log = new ContainerLog({ path, now, soon: (run) => void waiting.push(run) });
  log.write("stdout", text("a"));
  log.write("stdout", text("b"));
  assert.equal(waiting.length, 1);
  waiting.pop()!();
  assert.equal(readFileSync(path, "utf8"), `${head} stdout P ab\n`);
});

test("after a full log was put aside it goes on in the new one, and no line is lost", () => {
  const path = join(folder, "full");
  writeFileSync(path, "");
  const log = new ContainerLog({ path, now });
  const line = text(`${"x".repeat(1000)}\n`);
  for (let i = 0; i < 10; i++) log.write("stdout", line);
  renameSync(path, `${path}.old`);
  writeFileSync(path, "");
  for (let i = 0; i < 190; i++) log.write("stdout", line);
  const count = (file: string) => readFileSync(file, "utf8").split("\n").length - 1;
  assert.equal(count(path) + count(`${path}.old`), 200);
  assert.ok(count(path) > 100, "most of them are in the new file");
});
