import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { GuestMemory } from "../wasi-preview1/guest-memory.ts";
import { experimentalHttpCalls } from "./calls.ts";
import { httpLimits } from "./limits.ts";
import { experimentalHttpNames } from "./names.ts";

test("annotations say which origins may be asked, and how many answers may be held", () => {
  const domains = "alpha.wasi.krustlet.dev/allowed-domains";
  const many = "alpha.wasi.krustlet.dev/max-concurrent-requests";
  assert.deepEqual(httpLimits(), { allowed: [], concurrent: 16 });
  const given = { [domains]: '["https://a.example/x", "http://b.example:8080"]', [many]: "2" };
  assert.deepEqual(httpLimits(given), {
    allowed: ["https://a.example", "http://b.example:8080"],
    concurrent: 2,
  });
  for (const text of ["a.example", '"https://a.example"', '["a.example"]', "[1]"]) {
    assert.throws(() => httpLimits({ [domains]: text }), /allowed-domains must be a JSON array/);
  }
  for (const text of ["0", "-1", "many", "1.5"]) {
    assert.throws(() => httpLimits({ [many]: text }), /max-concurrent-requests must be a whole/);
  }
});

const server = `require("node:http").createServer((q, r) => {
  let text = ""; q.on("data", (d) => text += d);
  q.on("end", () => { r.writeHead(201, { "x-told": q.headers["x-tell"] ?? "" }); r.end(q.method + " " + text); });
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;

test("an old module asks what it may ask, reads the answer in pieces, and is refused the rest", async () => {
  const child = spawn(process.execPath, ["-e", server], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [said] = await once(child.stdout, "data");
    const origin = `http://127.0.0.1:${String(said).trim()}`;
    const buffer = new ArrayBuffer(65_536);
    const memory = new GuestMemory(() => ({ buffer }));
    const calls = experimentalHttpCalls(memory, { allowed: [origin], concurrent: 1 });
    assert.deepEqual(new Set(Object.keys(calls)), experimentalHttpNames);
    let used = 1024;
    const text = (value: string) => {
      const bytes = Buffer.from(value);
      memory.bytes(used, bytes.length).set(bytes);
      used += bytes.length;
      return [used - bytes.length, bytes.length] as const;
    };
    const [status, handle, count, into] = [0, 4, 8, 512];
    const ask = (url: string, method = "PUT") =>
      calls.req(
        ...text(url),
        ...text(method),
        ...text("x-tell:me\n"),
        ...text("body"),
        ...[status, handle],
      );
    const word = (at: number) => memory.view.getUint32(at, true);
    assert.equal(await ask(`${origin}/a`), 0);
    assert.equal(memory.view.getUint16(status, true), 201);
    assert.equal(await ask(`${origin}/a`), 13, "too many sessions");
    const id = word(handle);
    const read = (length: number) => {
      assert.equal(calls.body_read(id, into, length, count), 0);
      return memory.text(into, word(count));
    };
    assert.deepEqual([read(3), read(100), read(100)], ["PUT", " body", ""]);
    assert.equal(calls.header_get(id, ...text("X-Told"), into, 100, count), 0);
    assert.equal(memory.text(into, word(count)), "me");
    assert.equal(calls.header_get(id, ...text("X-None"), into, 100, count), 5);
    assert.equal(calls.header_get(id, ...text("X-Told"), into, 1, count), 4);
    assert.equal(calls.headers_get_all(id, into, 400, count), 0);
    assert.match(memory.text(into, word(count)), /^x-told:me\n/);
    calls.close(id);
    assert.equal(calls.body_read(id, into, 1, count), 1, "a closed handle");
    assert.equal(await ask("http://127.0.0.1:1/"), 7, "not allowed");
    assert.equal(await ask("nonsense"), 10);
    assert.equal(await ask(`${origin}/`, "P T"), 8);
    assert.equal(calls.body_read(id, -1, 1, count), 1);
  } finally {
    child.kill();
  }
});
