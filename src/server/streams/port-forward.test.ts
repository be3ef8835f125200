import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createConnection, createServer, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { StatusError } from "../../lib/status-error.ts";
import { controlFrame, dataFrame, finFlag, frameType } from "../../lib/spdy/frames.ts";
import { HeaderReader, HeaderWriter } from "../../lib/spdy/header-block.ts";
import { serveStreams } from "./test-node.ts";
import { deflater, spdyClient } from "./test-spdy.ts";

test("header blocks are one compressed stream in each direction", async () => {
  const compress = deflater();
  const reader = new HeaderReader();
  const headers = { streamtype: "data", port: "8080", requestid: "1", "content-type": "text/html" };
  for (let i = 0; i < 3; i++) assert.deepEqual(reader.read(await compress(headers)), headers);
  const writer = new HeaderWriter();
  const replies = new HeaderReader();
  for (let i = 0; i < 3; i++) assert.deepEqual(replies.read(writer.write(headers)), headers);
});

async function echoServer() {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

const ports = { port: "8080", requestid: "0" };

type PortForward = (pod: object, port: number) => Promise<Duplex>;

/** Asks for `Upgrade: SPDY/3.1`, as older clients do. */
async function dial(portForward: PortForward, headers: Record<string, string> = bare) {
  const { scope, port } = await serveStreams({ portForward });
  const asking = request({ host: "127.0.0.1", port, path: "/web/portforward", headers });
  asking.end();
  const [answer, transport] = (await once(asking, "upgrade")) as [IncomingMessage, Duplex];
  scope.defer(() => void transport.destroy());
  return { scope, answer, transport };
}

const bare = {
  connection: "Upgrade",
  upgrade: "SPDY/3.1",
  "x-stream-protocol-version": "portforward.k8s.io",
};

const tunnelled = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": Buffer.alloc(16).toString("base64"),
  "sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io",
};

test("bytes go to the port in the pod and back, in order and to the end", async () => {
  const { server, port } = await echoServer();
  const { scope, transport } = await dial(async (_pod, asked) => {
    assert.equal(asked, 8080);
    return createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
  });
  const { received, open } = spdyClient(transport, ports);
  scope.defer(() => void server.close());
  const error = await open(1, "error");
  transport.write(dataFrame(1, Buffer.alloc(0), finFlag));
  const data = await open(3, "data");
  let sent = "";
  for (let i = 0; i < 200; i++) {
    const text = `${i} ${"x".repeat(5000)}`;
    sent += text;
    transport.write(dataFrame(3, Buffer.from(text)));
  }
  transport.write(dataFrame(3, Buffer.alloc(0), finFlag));
  await Promise.all([data.ended, error.ended]);
  assert.equal(received[3], sent);
  assert.equal(received[1], "");
  await scope.close();
});

test("a port that nobody listens on is told on the error stream", async () => {
  const { scope, transport } = await dial(async () => {
    throw new StatusError("InternalError", "connection refused");
  });
  const { received, open } = spdyClient(transport, ports);
  const error = await open(1, "error");
  const data = await open(3, "data");
  await Promise.all([error.ended, data.ended]);
  assert.match(
    received[1]!,
    /error forwarding port 8080 to pod web, uid uid-1: connection refused/,
  );
  await scope.close();
});

test("a session that is not SPDY ends without harm", async () => {
  const { scope, transport } = await dial(async () => {
    throw new Error("not reached");
  });
  transport.on("error", () => {});
  transport.write(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  transport.resume();
  await once(transport, "close");
  await scope.close();
});

test("the session also comes in a WebSocket, whose protocol has a slash in its name", async () => {
  const { scope, answer, transport } = await dial(async () => {
    throw new Error("not reached");
  }, tunnelled);
  assert.equal(answer.headers["sec-websocket-protocol"], "SPDY/3.1+portforward.k8s.io");
  const ping = controlFrame(frameType.ping, 1);
  // A binary message, masked with zeros as a client must.
  transport.write(Buffer.concat([Buffer.from([0x82, 0x80 | ping.length, 0, 0, 0, 0]), ping]));
  const [reply] = await once(transport, "data");
  assert.deepEqual(reply, Buffer.concat([Buffer.from([0x82, ping.length]), ping]));
  await scope.close();
});
