// The server between a client and a backend of this process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { systemClock } from "../lib/clock.ts";
import { silent } from "../lib/log.ts";
import { seededRandom } from "../lib/random.ts";
import type { Route } from "./model.ts";
import { IngressServer } from "./server.ts";

let backend: Server;
let sockets: WebSocketServer;
let server: IngressServer;
let port: number;
let routes: Route[] = [];

const route = (path: string, more: Partial<Route> = {}): Route => ({
  id: path,
  created: "",
  hosts: [],
  match: { path: { type: "Prefix", value: path }, headers: [], query: [] },
  backends: [{ namespace: "a", service: "s", port: 80, weight: 1 }],
  lostWeight: 0,
  ...more,
});

before(async () => {
  backend = createServer((request, response) => {
    if (request.url === "/silent") return;
    let size = 0;
    request.on("data", (chunk: Buffer) => (size += chunk.length));
    request.on("end", () => {
      const { "x-forwarded-for": from, host } = request.headers;
      response.end(JSON.stringify({ url: request.url, method: request.method, size, from, host }));
    });
  }).listen(0, "127.0.0.1");
  await once(backend, "listening");
  sockets = new WebSocketServer({ server: backend });
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => socket.send(`heard ${data.toString()}`));
  });
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  ({ port } = free.address() as AddressInfo);
  free.close();
  const endpoint = (backend.address() as AddressInfo).port;
  server = new IngressServer(
    {
      listeners: () => [{ port, hostname: "", routes }],
      // The first does not answer.
      endpoints: ({ service }) =>
        service === "none"
          ? []
          : [
              { address: "127.0.0.1", port: 1 },
              { address: "127.0.0.1", port: endpoint },
            ],
      clock: systemClock,
      random: seededRandom(1),
      log: silent,
    },
    port,
    false,
  );
  await server.listen("127.0.0.1");
});
after(() => {
  server.close();
  sockets.close();
  for (const client of sockets.clients) client.terminate();
  backend.closeAllConnections();
  backend.close();
});

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, init);

test("a request goes on with its body, and an endpoint that is not there is passed by", async () => {
  routes = [route("/")];
  for (let i = 0; i < 4; i++) {
    const answer = await ask("/a?b=c", { method: "POST", body: "x".repeat(100_000) });
    const heard = (await answer.json()) as any;
    assert.deepEqual([heard.url, heard.method, heard.size], ["/a?b=c", "POST", 100_000]);
    assert.deepEqual([heard.from, heard.host], ["127.0.0.1", `127.0.0.1:${port}`]);
  }
});

test("where no route leads, no backend is or no endpoint is ready, the client is told", async () => {
  const none = [{ namespace: "a", service: "none", port: 80, weight: 1 }];
  routes = [route("/x"), route("/y", { backends: none }), route("/z", { backends: [] })];
  assert.equal((await ask("/")).status, 404);
  assert.equal((await ask("/y")).status, 503);
  assert.equal((await ask("/z")).status, 500);
});

test("a backend that takes too long is given up", async () => {
  routes = [route("/silent", { timeoutMs: 50 })];
  assert.equal((await ask("/silent")).status, 504);
});

test("a redirect is answered here", async () => {
  routes = [
    route("/old", { redirect: { statusCode: 301, scheme: "https", hostname: "a.example" } }),
  ];
  const answer = await ask("/old/x", { redirect: "manual" });
  assert.equal(answer.status, 301);
  assert.equal(answer.headers.get("location"), "https://a.example/old/x");
});

test("a WebSocket passes", async () => {
  routes = [route("/")];
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  await once(socket, "open");
  socket.send("hello");
  const [data] = await once(socket, "message");
  assert.equal(String(data), "heard hello");
  socket.terminate();
});
