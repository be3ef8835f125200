import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { holdOpen, systemClock } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import type { LogOptions } from "../../lib/node-connection.ts";
import { Scope } from "../../lib/scope.ts";
import { rotateLog, startLogRotation } from "./log-rotation.ts";
import { readLog, tailText } from "./logs.ts";

let root: string;
before(() => (root = mkdtempSync("/tmp/kerb-logs-")));
after(() => rmSync(root, { recursive: true }));

let counter = 0;
const newLog = () => {
  const path = join(root, String((counter += 1)), "0.log");
  mkdirSync(dirname(path));
  return path;
};

const second = (n: number) => `2026-01-01T00:00:${String(n).padStart(2, "0")}.000000000Z`;
const line = (n: number, text: string, stream = "stdout", tag = "F") =>
  `${second(n)} ${stream} ${tag} ${text}\n`;

interface Reading {
  running?: () => boolean;
  clock?: Clock;
  signal?: AbortSignal;
}

const open = (path: string, options: LogOptions, reading: Reading = {}) =>
  readLog({
    path,
    options,
    running: async () => reading.running?.() ?? false,
    clock: reading.clock ?? new FakeClock(),
    signal: reading.signal ?? new AbortController().signal,
  });

async function read(path: string, options: LogOptions, reading: Reading = {}) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await open(path, options, reading)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("a log is read as the options ask", async () => {
  const path = newLog();
  writeFileSync(
    path,
    line(1, "one") + line(2, "bad", "stderr") + line(3, "par", "stdout", "P") + line(3, "tial"),
  );
  const clock = new FakeClock(Date.parse(second(4)));
  const rows: [LogOptions, string][] = [
    [{}, "one\nbad\npartial\n"],
    [{ tailLines: 0 }, ""],
    [{ stream: "Stderr" }, "bad\n"],
    [{ stream: "Stdout" }, "one\npartial\n"],
    [{ sinceTime: second(2) }, "bad\npartial\n"],
    [{ sinceSeconds: 1 }, "partial\n"],
    [{ limitBytes: 5 }, "one\nb"],
    [{ timestamps: true, sinceSeconds: 2, stream: "Stderr" }, `${second(2)} bad\n`],
  ];
  for (const [options, expected] of rows) {
    assert.equal(await read(path, options, { clock }), expected, JSON.stringify(options));
  }
});

test("the last lines are found across blocks and rotated files", async () => {
  const path = newLog();
  const long = "x".repeat(50_000);
  writeFileSync(`${path}.20260101000000`, line(1, "a") + line(2, "b"));
  writeFileSync(path, line(3, long) + line(4, long) + line(5, "e"));
  assert.equal(await read(path, { tailLines: 1 }), "e\n");
  assert.equal(await read(path, { tailLines: 3 }), `${long}\n${long}\ne\n`);
  assert.equal(await read(path, { tailLines: 4 }), `b\n${long}\n${long}\ne\n`);
  assert.equal(await read(path, { tailLines: 99 }), `a\nb\n${long}\n${long}\ne\n`);
  assert.equal(await tailText(path, 2, 4), `xx\ne\n`.slice(-4));
});

test("what is no line of a log is passed over, however long it is", async () => {
  const path = newLog();
  writeFileSync(path, line(1, "one"));
  // Zeros that take no room, as a program leaves them that has the log open and makes it longer.
  truncateSync(path, 2 ** 23);
  appendFileSync(path, `\n${line(2, "two")}`);
  assert.equal(await read(path, {}), "one\ntwo\n");
  assert.equal(await tailText(path, 1, 99), "two\n");
  truncateSync(path, 2 ** 42);
  assert.equal(await tailText(path, 80, 99), "");
});

test("a follower sees what is written later, through a rotation, until the end", async (t) => {
  const path = newLog();
  writeFileSync(path, line(1, "old") + line(2, "first"));
  let running = true;
  const clock = systemClock;
  t.after(holdOpen());
  const seen: string[] = [];
  const stream = await open(
    path,
    { follow: true, tailLines: 1 },
    { running: () => running, clock },
  );
  const steps: Record<string, () => Promise<void> | void> = {
    first: () => appendFileSync(path, line(3, "second")),
    second: async () => {
      appendFileSync(path, "x".repeat(11 * 2 ** 20) + "\n");
      await rotateLog(path, { clock, reopen: async () => writeFileSync(path, line(4, "third")) });
    },
    third: () => {
      appendFileSync(path, line(5, "last"));
      running = false;
    },
  };
  for await (const chunk of stream) {
    for (const text of Buffer.from(chunk).toString().split("\n").filter(Boolean)) {
      seen.push(text);
      await steps[text]?.();
    }
  }
  assert.deepEqual(seen, ["first", "second", "third", "last"]);
});

test("a follower that leaves ends its reading", async () => {
  const path = newLog();
  writeFileSync(path, line(1, "one"));
  const controller = new AbortController();
  const running = () => true;
  const { signal } = controller;
  for await (const chunk of await open(path, { follow: true }, { running, signal })) {
    assert.equal(Buffer.from(chunk).toString(), "one\n");
    controller.abort();
  }
});

test("a full log is put aside, and only the newest files stay", async () => {
  const path = newLog();
  const clock = new FakeClock();
  const reopen = async () => writeFileSync(path, "");
  writeFileSync(path, line(1, "small"));
  await rotateLog(path, { clock, reopen });
  assert.deepEqual(readdirSync(dirname(path)), ["0.log"]);
  for (let i = 0; i < 7; i++) {
    writeFileSync(path, "x".repeat(10 * 2 ** 20));
    clock.jumpTo(clock.now() + 10_000);
    await rotateLog(path, { clock, reopen });
  }
  assert.equal(readdirSync(dirname(path)).length, 5);
});

test("a running container's log is put aside when it is full, and looked at often while it floods", async () => {
  const logPath = newLog();
  /** What was asked to be woken, and when: files are renamed meanwhile, for which no clock stands still. */
  const asked: { ms: number; wake: () => void }[] = [];
  class NotedClock extends FakeClock {
    override after(ms: number, wake: () => void) {
      asked.push({ ms, wake });
      return () => {};
    }
  }
  const [clock, scope] = [new NotedClock(), new Scope()];
  let turns = 0;
  const flood = () => writeFileSync(logPath, "x".repeat(10 * 2 ** 20));
  const reopenLog = async () => {
    turns += 1;
    flood();
  };
  const newest = new Map([["main", { id: "1", state: "running", logPath }]]);
  flood();
  const context = { runtime: { reopenLog }, clock, log: silent } as any;
  startLogRotation(context, () => [{ instances: { newest } }] as any, scope);
  await clock.advance(10_000);
  for (let turn = 1; turn <= 3; turn++) {
    while (asked.length < turn) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(turns, turn);
    assert.ok(asked[turn - 1]!.ms < 10_000);
    if (turn < 3) asked[turn - 1]!.wake();
  }
  await scope.close();
});
