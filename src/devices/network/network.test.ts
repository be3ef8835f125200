import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { hurried } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { AnswerError } from "./answer-error.ts";
import { frames, inTime, openTcp } from "./tcp.ts";
import { askUdp } from "./udp.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

/** Sends a byte again and again, and never ends. */
async function startDripping(): Promise<number> {
  const server = createServer((socket) => {
    const dripping = setInterval(() => socket.write("."), 1);
    socket.on("error", () => {}).on("close", () => clearInterval(dripping));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("who drips bytes for ever is left when the time for an answer is over", async () => {
  const port = await startDripping();
  const socket = await openTcp({ host: "127.0.0.1", port }, scope.signal);
  const reading = frames(socket, (bytes) => (bytes.length < 1e9 ? undefined : 1), 10);
  await assert.rejects(
    inTime(socket, 50, () => reading.next()),
    AnswerError,
  );
  assert.equal(socket.destroyed, true);
});

test("frames come whole, however they were cut, and one that is too long ends them", async () => {
  const server = createServer((socket) => {
    for (const part of ["3a", "b", "2c1", "9x"]) socket.write(part);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const socket = await openTcp({ host: "127.0.0.1", port }, scope.signal);
  const length = (bytes: Buffer) => (bytes.length === 0 ? undefined : Number(`${bytes}`[0]));
  const seen: string[] = [];
  const all = async () => {
    for await (const frame of frames(socket, length, 5)) seen.push(`${frame}`);
  };
  await assert.rejects(all(), /too long/);
  assert.deepEqual(seen, ["3ab", "2c", "1"]);
});

/** Answers each datagram as often as it is told, from its own address or from another. */
async function startAnswering(host: string, times: number, elsewhere = false): Promise<number> {
  const type = host.includes(":") ? "udp6" : "udp4";
  const [socket, other] = [createSocket(type), createSocket(type)];
  socket.on("message", (_, from) => {
    const sender = elsewhere ? other : socket;
    for (let i = 0; i < times; i++) sender.send("here", from.port, from.address);
  });
  for (const one of [socket, other]) {
    one.bind(0, host);
    await once(one, "listening");
    scope.defer(() => void one.close());
  }
  return socket.address().port;
}

test("those who were asked count, by IPv4 and IPv6 and name alike, and nobody else", async () => {
  const [v4, named, v6, liar] = await Promise.all([
    startAnswering("127.0.0.1", 1),
    startAnswering("127.0.0.1", 1),
    startAnswering("::1", 1),
    startAnswering("127.0.0.1", 1, true),
  ]);
  const heard: number[] = [];
  await askUdp({
    message: "who?",
    to: [
      { host: "127.0.0.1", port: v4 },
      { host: "localhost", port: named },
      { host: "0:0:0:0:0:0:0:1", port: v6 },
      { host: "127.0.0.1", port: liar },
    ],
    waitMs: 2000,
    clock: hurried,
    signal: scope.signal,
    answer: (_, { port }) => void heard.push(port),
  });
  assert.deepEqual(heard.sort(), [v4, named, v6].sort());
});

test("one who answers without end uses up nobody else's share", async () => {
  const port = await startAnswering("127.0.0.1", 200);
  let heard = 0;
  await askUdp({
    message: "who?",
    to: [{ host: "127.0.0.1", port }],
    waitMs: 2000,
    clock: hurried,
    signal: scope.signal,
    answer: () => void heard++,
  });
  assert.equal(heard, 64);
});
