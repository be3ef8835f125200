import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import { createServer as createHttp2Server } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { runHandler } from "./handlers.ts";
import type { Handler } from "../pods/pod.ts";
import type { Runtime } from "../runtime.ts";

const output = (text: string) => Buffer.from(text);

const runtime = {
  execSync: async (_id: string, command: string[]) => {
    if (command[0] === "hang") throw new Error("command timed out");
    const exitCode = Number(command[1]);
    return { exitCode, stdout: output("out "), stderr: output("err\n") };
  },
} as unknown as Runtime;

function run(handler: Handler, clock = new FakeClock()) {
  const ports = [{ name: "web", containerPort: 1 }];
  return runHandler(handler, {
    runtime,
    clock,
    container: { name: "c", image: "i", ports },
    containerId: "id",
    podIp: "127.0.0.1",
    timeoutMs: 1000,
    signal: new AbortController().signal,
  });
}

interface Listener {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
  close(): unknown;
}

async function listening(t: TestContext, server: Listener): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("a command's exit code decides", async () => {
  assert.deepEqual(await run({ exec: { command: ["x", "0"] } }), { ok: true, output: "out err" });
  assert.equal((await run({ exec: { command: ["x", "1"] } })).ok, false);
  assert.deepEqual(await run({ exec: { command: ["hang"] } }), {
    ok: false,
    output: "command timed out",
  });
});

test("a page answers with its status, path and headers given", async (t) => {
  const server = createServer((request, response) => {
    response.statusCode =
      request.headers["x-probe"] === "yes" ? Number(request.url!.slice(1)) : 500;
    response.end();
  });
  const port = await listening(t, server);
  const httpHeaders = [{ name: "X-Probe", value: "yes" }];
  const get = (path: string) => run({ httpGet: { port, path, httpHeaders } });
  assert.deepEqual(await get("/302"), { ok: true, output: "" });
  assert.deepEqual(await get("/503"), {
    ok: false,
    output: "HTTP probe failed with statuscode: 503",
  });
});

test("who does not answer in time fails", async (t) => {
  const clock = new FakeClock();
  const reached = Promise.withResolvers<void>();
  const server = createServer(() => reached.resolve());
  const port = await listening(t, server);
  const result = run({ httpGet: { port } }, clock);
  await reached.promise;
  await clock.advance(1001);
  assert.match((await result).output, /context deadline exceeded/);
});

const answers = [
  {
    what: "lines that end without a carriage return",
    text: "HTTP/1.1 200 OK\nX-A: b\n\nok",
    ok: true,
  },
  { what: "an answer of HTTP/1.0", text: "HTTP/1.0 200 OK\r\n\r\nok", ok: true },
  { what: "a failure without carriage returns", text: "HTTP/1.1 503 No\n\n", ok: false },
  { what: "no HTTP", text: "hello\n\n", ok: false },
  {
    what: "a body that breaks off",
    text: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    ok: false,
  },
];

for (const { what, text, ok } of answers) {
  test(`${what} is ${ok ? "an answer" : "a failure"} to a probe`, async (t) => {
    const server = createTcpServer((socket) => socket.once("data", () => socket.end(text)));
    const port = await listening(t, server);
    assert.equal((await run({ httpGet: { port } })).ok, ok);
  });
}

test("a body without an end is read no further than a kubelet reads it", async (t) => {
  const server = createServer((_, response) => {
    const more = (error?: unknown) => error || response.write("x".repeat(4096), more);
    more();
  });
  const port = await listening(t, server);
  assert.equal((await run({ httpGet: { port } })).ok, true);
});

test("a body that stops in the middle fails in its time", async (t) => {
  const clock = new FakeClock();
  const reached = Promise.withResolvers<void>();
  const server = createServer((_, response) => response.write("x", () => reached.resolve()));
  const port = await listening(t, server);
  const result = run({ httpGet: { port } }, clock);
  await reached.promise;
  await clock.advance(1001);
  assert.match((await result).output, /context deadline exceeded/);
});

test("a connection is enough for tcpSocket", async (t) => {
  const port = await listening(t, createTcpServer());
  assert.equal((await run({ tcpSocket: { port } })).ok, true);
  assert.match((await run({ tcpSocket: { port: "web" } })).output, /127\.0\.0\.1:1: .*REFUSED/);
});

test("a health service says whether it serves", async (t) => {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const parts: Buffer[] = [];
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      const service = Buffer.concat(parts).subarray(7).toString();
      const known = headers[":path"] === "/grpc.health.v1.Health/Check" && service !== "none";
      const trailers = { "grpc-status": known ? "0" : "5" };
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers(trailers));
      const status = service === "sick" ? 2 : 1;
      stream.end(known ? Buffer.from([0, 0, 0, 0, 2, 8, status]) : Buffer.alloc(0));
    });
  });
  const port = await listening(t, server);
  assert.deepEqual(await run({ grpc: { port } }), { ok: true, output: "" });
  assert.equal((await run({ grpc: { port, service: "well" } })).ok, true);
  assert.match((await run({ grpc: { port, service: "sick" } })).output, /"NOT_SERVING"/);
  assert.match((await run({ grpc: { port, service: "none" } })).output, /gRPC status 5/);
  server.close();
  assert.equal((await run({ grpc: { port: 1 } })).ok, false);
});

test("a sleep lasts as long as it says, and no longer than it may", async () => {
  const clock = new FakeClock();
  const slept = run({ sleep: { seconds: 60 } }, clock);
  await clock.advance(1000);
  assert.equal((await slept).ok, true);
});
