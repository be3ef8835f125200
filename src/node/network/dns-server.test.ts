// The DNS server as pods meet it, with another name server behind it.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { after, before, test } from "node:test";
import packet from "dns-packet";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { startDnsServer } from "./dns-server.ts";
import { nextQuestions } from "./dns-resolver.ts";
import { placeOf, serversFor } from "./dns-upstream.ts";
import type { DnsSource } from "./dns-zone.ts";

const web = {
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { clusterIP: "10.9.0.5" },
};
const source: DnsSource = {
  domain: "cluster.local",
  namespaceExists: (name) => name === "shop",
  service: (namespace, name) => (namespace === "shop" && name === "web" ? (web as any) : undefined),
  slices: () => [],
  byAddress: () => undefined,
  namespaceOf: (address) => (address === "127.0.0.1" ? "shop" : undefined),
};

const scope = new Scope();
/** Questions that came to the other server. */
const heard: string[] = [];
let udp: Socket;
let tcp: Server;
let port: number;

/** What the other server knows: a long name only by TCP. */
function upstreamAnswer(message: Buffer, isTcp: boolean): Buffer {
  const query = packet.decode(message);
  const { name } = query.questions![0]!;
  heard.push(`${isTcp ? "tcp" : "udp"} ${name}`);
  const head = { type: "response" as const, id: query.id!, questions: query.questions! };
  const soa = {
    type: "SOA" as const,
    name: "example",
    ttl: 300,
    data: { mname: "ns", rname: "me", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
  };
  if (name === "none.example") return packet.encode({ ...head, flags: 3, authorities: [soa] });
  if (name === "long.example" && !isTcp) return packet.encode({ ...head, flags: 0x0200 });
  if (!name.endsWith(".example")) return packet.encode({ ...head, flags: 3 });
  return packet.encode({ ...head, answers: [{ type: "A", name, ttl: 60, data: "192.0.2.80" }] });
}

before(async () => {
  udp = createSocket("udp4").on("message", (message, client) => {
    udp.send(upstreamAnswer(message, false), client.port, client.address);
  });
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  const upstream = udp.address().port;
  tcp = createServer((socket) => {
    socket.on("data", (chunk: Buffer) => {
      const answer = upstreamAnswer(chunk.subarray(2), true);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.end(Buffer.concat([length, answer]));
    });
  }).listen(upstream, "127.0.0.1");
  await once(tcp, "listening");
  port = await startDnsServer({
    addresses: ["127.0.0.1"],
    port: 0,
    source,
    upstreams: () => ({ servers: [`127.0.0.1:${upstream}`], stubs: new Map() }),
    clock: systemClock,
    log: silent,
    scope,
  });
});
after(async () => {
  await scope.close();
  udp.close();
  tcp.close();
});

async function ask(name: string, type: "A" | "AAAA" = "A", extra: object = {}) {
  const socket = createSocket("udp4");
  const query = { type: "query" as const, id: 7, questions: [{ type, name }], ...extra };
  socket.send(packet.encode(query), port, "127.0.0.1");
  const [message] = (await once(socket, "message")) as [Buffer];
  socket.close();
  return packet.decode(message) as any;
}
const data = (response: any) => response.answers.map((one: any) => `${one.type} ${one.data}`);

test("the cluster's names are answered, and what is not there says for how long", async () => {
  assert.deepEqual(data(await ask("web.shop.svc.cluster.local")), ["A 10.9.0.5"]);
  const none = await ask("web.shop.svc.cluster.local", "AAAA");
  assert.deepEqual([none.rcode, none.authorities[0].type], ["NOERROR", "SOA"]);
  const missing = await ask("a.b.svc.cluster.local");
  assert.deepEqual([missing.rcode, missing.authorities[0].name], ["NXDOMAIN", "cluster.local"]);
});

test("other names are asked of another server, by TCP when the answer is long, and remembered", async () => {
  assert.deepEqual(data(await ask("long.example")), ["A 192.0.2.80"]);
  assert.deepEqual(heard.splice(0), ["udp long.example", "tcp long.example"]);
  assert.deepEqual(data(await ask("long.example")), ["A 192.0.2.80"]);
  for (let i = 0; i < 2; i++) assert.equal((await ask("none.example")).rcode, "NXDOMAIN");
  assert.deepEqual(heard.splice(0), ["udp none.example"]);
});

test("a pod that begins its search path gets the answer of its end at once", async () => {
  const found = await ask("www.example.shop.svc.cluster.local");
  assert.deepEqual(data(found), ["CNAME www.example", "A 192.0.2.80"]);
  assert.deepEqual(heard.splice(0), ["udp www.example"]);
  const elsewhere = await ask("web.shop.shop.svc.cluster.local");
  assert.deepEqual(data(elsewhere), ["CNAME web.shop.svc.cluster.local", "A 10.9.0.5"]);
  assert.equal((await ask("nothing.shop.svc.cluster.local")).rcode, "NXDOMAIN");
});

test("who speaks EDNS is answered in it", async () => {
  const additionals = [{ type: "OPT", name: ".", udpPayloadSize: 1232, flags: 0, options: [] }];
  const answer = await ask("web.shop.svc.cluster.local", "A", { additionals });
  assert.equal(answer.additionals.at(-1).type, "OPT");
});

test("the path of a search is what a pod would ask next", () => {
  const domain = "cluster.local";
  assert.deepEqual(nextQuestions("db.shop.svc.cluster.local", "shop", domain), [
    "db.svc.cluster.local",
    "db.cluster.local",
    "db",
  ]);
  assert.deepEqual(nextQuestions("db.other.svc.cluster.local", "shop", domain), []);
  assert.deepEqual(nextQuestions("_http._tcp.web.shop.svc.cluster.local", "shop", domain), []);
});

test("a name goes to the servers of the longest domain that it lies in", () => {
  const stubs = new Map([
    ["corp.example", ["10.0.0.1"]],
    ["deep.corp.example", ["10.0.0.2"]],
  ]);
  const servers = ["192.0.2.53"];
  const of = (name: string) => serversFor(name, { servers, stubs });
  assert.deepEqual(of("a.corp.example"), ["10.0.0.1"]);
  assert.deepEqual(of("a.deep.corp.example"), ["10.0.0.2"]);
  assert.deepEqual(of("Corp.Example"), ["10.0.0.1"]);
  assert.deepEqual(of("corp.example.org"), servers);
});

test("a name server is an address of either family, with or without a port", () => {
  for (const [server, host, port] of [
    ["192.0.2.1", "192.0.2.1", 53],
    ["192.0.2.1:5353", "192.0.2.1", 5353],
    ["2001:db8::53", "2001:db8::53", 53],
    ["[2001:db8::53]", "2001:db8::53", 53],
    ["[2001:db8::53]:5353", "2001:db8::53", 5353],
    ["fe80::1%eth0", "fe80::1%eth0", 53],
  ] as const) {
    assert.deepEqual(placeOf(server), { host, port }, server);
  }
});
