import assert from "node:assert/strict";
import http2 from "node:http2";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { startListener } from "../test-listener.ts";
import { bodyBytesMax } from "../body.ts";
import { bodiesBytesMax, requestMsMax } from "./limits.ts";
import { RequestBodies } from "./request-bodies.ts";

const mebibyte = Buffer.alloc(2 ** 20, "a");

test("a body is whole, or its sender is told why not", async () => {
  const clock = new FakeClock();
  const bodies = new RequestBodies(clock);
  const whole = new PassThrough();
  const read = bodies.read(whole);
  whole.write("a");
  whole.end("b");
  assert.equal(String(await read), "ab");
  await assert.rejects(bodies.read(new PassThrough(), bodyBytesMax + 1), { code: 413 });
  const large = new PassThrough();
  const refused = assert.rejects(bodies.read(large), { code: 413 });
  for (let i = 0; i < 4; i++) large.write(mebibyte);
  await refused;
  const broken = new PassThrough();
  const cut = assert.rejects(bodies.read(broken), { code: 400, message: /broke off/ });
  broken.destroy();
  await cut;
  await assert.rejects(bodies.read(broken), { code: 400, message: /broke off/ });
  const slow = assert.rejects(bodies.read(new PassThrough()), { code: 504 });
  await clock.advance(requestMsMax);
  await slow;
});

test("all that is sent at once has a limit, and what ended counts no more", async () => {
  const bodies = new RequestBodies(new FakeClock());
  const streams: PassThrough[] = [];
  const results: Promise<unknown>[] = [];
  const send = () => {
    const stream = new PassThrough({ highWaterMark: 4 * 2 ** 20 });
    streams.push(stream);
    const done = bodies.read(stream).then(
      () => 200,
      (error: { code: number }) => error.code,
    );
    results.push(done);
    for (let i = 0; i < 2; i++) stream.write(mebibyte);
    return done;
  };
  for (let i = 0; i < bodiesBytesMax / 2 ** 21; i++) void send();
  await new Promise(setImmediate);
  assert.equal(await send(), 429);
  for (const stream of streams) stream.end();
  const codes = await Promise.all(results);
  assert.equal(codes.filter((code) => code === 200).length, bodiesBytesMax / 2 ** 21);
  const later = send();
  streams.at(-1)!.end();
  assert.equal(await later, 200);
});

test("who may not is told so before anything of the body is read", async (t) => {
  const { scope, port, ca, server } = await startListener({
    authorize: async () => ({ allowed: false, reason: "" }),
  });
  after(() => scope.close());
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: "localhost" });
  t.after(() => session.destroy());
  const asked: string[] = [];
  const handle = server.handle.bind(server);
  server.handle = (request) => {
    const { readBody } = request;
    if (readBody) {
      request.readBody = () => {
        asked.push(request.path);
        return readBody();
      };
    }
    return handle(request);
  };
  const ask = async () => {
    const stream = session.request({
      ...{ ":method": "POST", ":path": "/api/v1/namespaces/a/configmaps" },
      ...{ "content-type": "application/json", authorization: "Bearer tester" },
    });
    stream.on("error", () => {});
    stream.write('{"metadata":');
    const code = await new Promise((done) =>
      stream.on("response", (head) => done(head[":status"])),
    );
    stream.resume();
    await new Promise((done) => stream.on("close", done));
    return code;
  };
  // The sender never ends its body: the stream is closed all the same.
  assert.deepEqual(await Promise.all(Array.from({ length: 50 }, ask)), Array(50).fill(403));
  assert.deepEqual(asked, []);
});
