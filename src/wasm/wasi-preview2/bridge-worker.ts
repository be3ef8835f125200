// The other end of bridge.ts, in a thread with an event loop: HTTP requests, TCP connections, names.
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { Server, Socket, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { BridgeAnswer, BridgeRequest } from "./bridge.ts";

export interface HttpAsked {
  url: string;
  method: string;
  headers: [string, string][];
  body: Uint8Array;
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
}

const bodyBytesMax = 64 * 2 ** 20;
const readBytesMax = 65_536;

async function http({ url, method, headers, body, timeoutMs }: HttpAsked): Promise<HttpAnswer> {
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const byName: Record<string, string[]> = {};
  for (const [name, value] of headers) (byName[name] ??= []).push(value);
  const asked = send(url, { method, headers: byName, timeout: timeoutMs });
  asked.on("timeout", () => asked.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
  asked.end(body);
  const [response] = await once(asked, "response");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > bodyBytesMax) throw Object.assign(new Error(), { code: "EFBIG" });
    chunks.push(chunk);
  }
  const raw: string[] = response.rawHeaders;
  const pairs = raw.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1]!]] : [],
  );
  return { status: response.statusCode, headers: pairs, body: Buffer.concat(chunks) };
}

const sockets = new Map<number, Socket>();
const servers = new Map<number, { server: Server; waiting: Socket[] }>();
let lastSocket = 0;

function keep(socket: Socket) {
  const id = ++lastSocket;
  socket.on("error", () => {});
  sockets.set(id, socket);
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  return { id, localAddress, localPort, remoteAddress, remotePort };
}

async function connect({ host, port }: { host: string; port: number }) {
  const socket = new Socket();
  socket.setNoDelay(true);
  socket.connect({ host, port });
  await once(socket, "connect");
  return keep(socket);
}

/** The next bytes; null at the end. */
async function read({ id }: { id: number }): Promise<Uint8Array | null> {
  const socket = sockets.get(id);
  for (;;) {
    if (!socket || socket.destroyed) return null;
    const found: Buffer | null = socket.read() ?? null;
    if (found) {
      if (found.length > readBytesMax) socket.unshift(found.subarray(readBytesMax));
      return found.subarray(0, readBytesMax);
    }
    if (socket.readableEnded) return null;
    const abort = new AbortController();
    const { signal } = abort;
    const events = ["readable", "end", "close"].map((name) => once(socket, name, { signal }));
    await Promise.race(events).finally(() => abort.abort());
    for (const one of events) one.catch(() => {});
  }
}

function write({ id, bytes }: { id: number; bytes: Uint8Array }): Promise<void> {
  const socket = sockets.get(id);
  return new Promise((resolve, reject) => {
    if (!socket?.writable) return reject(Object.assign(new Error(), { code: "EPIPE" }));
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function shutdown({ id, how }: { id: number; how: string }) {
  const socket = sockets.get(id);
  if (how !== "receive") socket?.end();
}

async function close({ id }: { id: number }) {
  sockets.get(id)?.destroy();
  sockets.delete(id);
  servers.get(id)?.server.close();
  servers.delete(id);
}

const waitingMax = 128;

async function listen({ host, port }: { host: string; port: number }) {
  const waiting: Socket[] = [];
  const server = createServer((socket) => {
    if (waiting.length >= waitingMax) socket.destroy();
    else waiting.push(socket);
    server.emit("accepted");
  });
  server.listen({ host, port });
  await once(server, "listening");
  const id = ++lastSocket;
  servers.set(id, { server, waiting });
  const { address, port: bound } = server.address() as AddressInfo;
  return { id, localAddress: address, localPort: bound };
}

async function accept({ id }: { id: number }) {
  const { server, waiting } = servers.get(id)!;
  while (waiting.length === 0) await once(server, "accepted");
  return keep(waiting.shift()!);
}

const resolve = async ({ name }: { name: string }) =>
  (await lookup(name, { all: true })).map(({ address }) => address);

const operations: Record<string, (argument: any) => Promise<unknown>> = {
  http,
  connect,
  read,
  write,
  shutdown,
  close,
  listen,
  accept,
  resolve,
};

const { port, count } = workerData as { port: MessagePort; count: Int32Array };

port.on("message", async ({ id, operation, argument }: BridgeRequest) => {
  const answer: BridgeAnswer = { id };
  try {
    answer.value = await operations[operation]!(argument);
  } catch (error) {
    const { code = "EIO", message } = error as NodeJS.ErrnoException;
    answer.failure = { code, message };
  }
  port.postMessage(answer);
  Atomics.add(count, 0, 1);
  Atomics.notify(count, 0);
});
