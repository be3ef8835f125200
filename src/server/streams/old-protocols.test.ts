import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { createConnection, createServer, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { WebSocket } from "ws";
import { serveStreams } from "./test-node.ts";
import { spdyClient } from "./test-spdy.ts";

/** Everything a socket receives until it closes. */
async function received(socket: WebSocket) {
  const found: { data: Buffer; binary: boolean }[] = [];
  socket.on("message", (data: Buffer, binary) => found.push({ data, binary }));
  await once(socket, "close");
  return found;
}

test("a log comes over a WebSocket in bytes or in base64, after an empty message", async () => {
  const logs = async () =>
    (async function* () {
      yield Buffer.from("first\n");
      yield Buffer.from("second\n");
    })();
  const { scope, port } = await serveStreams({ logs });
  const table: [string[], boolean][] = [
    [[], true],
    [["binary.k8s.io"], true],
    [["base64.binary.k8s.io"], false],
  ];
  for (const [protocols, binary] of table) {
    const found = await received(
      new WebSocket(`ws://127.0.0.1:${port}/web/log?follow=true`, protocols),
    );
    const texts = found.map(({ data }) =>
      binary ? data.toString() : Buffer.from(data.toString(), "base64").toString(),
    );
    assert.deepEqual(texts, ["", "first\n", "second\n"]);
    assert.ok(found.every((one) => one.binary === binary));
  }
  await scope.close();
});

test("ports are forwarded over channels, each beginning with its number", async () => {
  const target = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once("data", (chunk) => socket.end(`got ${chunk}`));
  });
  await once(target.listen(0, "127.0.0.1"), "listening");
  const { port: open } = target.address() as AddressInfo;
  const { scope, port } = await serveStreams({
    portForward: async (_pod, asked) => {
      if (asked === 81) throw new Error("connection refused");
      return createConnection({ host: "127.0.0.1", port: open });
    },
  });
  scope.defer(() => void target.close());
  const socket = new WebSocket(`ws://127.0.0.1:${port}/web/portforward?ports=8080,81`, [
    "v4.channel.k8s.io",
  ]);
  const answers = received(socket);
  await once(socket, "open");
  socket.send(Buffer.concat([Buffer.from([0]), Buffer.from("hello")]));
  const byChannel: Record<number, Buffer> = {};
  for (const { data } of await answers) {
    byChannel[data[0]!] = Buffer.concat([byChannel[data[0]!] ?? Buffer.alloc(0), data.subarray(1)]);
  }
  const told = (at: number) => [byChannel[at]!.readUInt16LE(), byChannel[at]!.toString("utf8", 2)];
  assert.deepEqual(told(0), [8080, "got hello"]);
  assert.deepEqual(told(1), [8080, ""]);
  assert.deepEqual(told(2), [81, ""]);
  assert.deepEqual(told(3), [
    81,
    "error forwarding port 81 to pod web, uid uid-1: connection refused",
  ]);
  await scope.close();
});

test("exec over SPDY tells how it ended as the client's protocol has it", async () => {
  const status = /^\{.*"reason":"NonZeroExitCode"/;
  const table: [string, RegExp][] = [
    ["v4.channel.k8s.io", status],
    ["v4.channel.k8s.io, channel.k8s.io", status],
    ["v2.channel.k8s.io", /^command terminated with non-zero exit code: exit status 7$/],
    ["channel.k8s.io", /^command terminated with non-zero exit code: exit status 7$/],
  ];
  for (const [protocols, said] of table) {
    const { scope, port } = await serveStreams({
      exec: async (_pod, _container, _options, { stdout }) => {
        await stdout(Buffer.from("out"));
        return 7;
      },
    });
    const headers = {
      connection: "Upgrade",
      upgrade: "SPDY/3.1",
      "x-stream-protocol-version": protocols,
    };
    const path = "/web/exec?command=x&stdout=true";
    const asking = request({ host: "127.0.0.1", port, path, headers });
    asking.end();
    const [answer, transport] = (await once(asking, "upgrade")) as [IncomingMessage, Duplex];
    assert.equal(answer.headers["x-stream-protocol-version"], protocols.split(",")[0]);
    const { received: texts, open } = spdyClient(transport);
    const streams = [await open(1, "error"), await open(3, "stdout")];
    await Promise.all(streams.map(({ ended }) => ended));
    assert.equal(texts[3], "out");
    assert.match(texts[1]!, said);
    transport.destroy();
    await scope.close();
  }
});
