// Answers pods' questions over UDP and TCP: the cluster's own zone from the informers, everything else
// from the machine's own name servers, whose answers (and failures) are kept for a short while.
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { createServer } from "node:net";
import type { Socket as TcpSocket } from "node:net";
import packet from "dns-packet";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { answerQuestion } from "./dns-zone.ts";
import type { DnsAnswer, DnsSource } from "./dns-zone.ts";

export interface DnsServerOptions {
  address: string;
  /** 0 takes a free one. */
  port: number;
  source: DnsSource;
  /** The machine's name servers, asked in turn. */
  upstreams: string[];
  clock: Clock;
  log: Log;
  scope: Scope;
}

const upstreamTimeoutMs = 2000;
const udpBytesMax = 512;
const cacheEntriesMax = 2000;
const cacheMsMax = 30_000;
const tcpConnectionsMax = 100;
const tcpIdleMs = 10_000;

type Query = ReturnType<typeof packet.decode>;

function reply(query: Query, answer: DnsAnswer): Buffer {
  const code = answer.code === "NXDOMAIN" ? 3 : 0;
  return packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: 0x0580 | 0x0100 | code,
    questions: query.questions ?? [],
    answers: answer.answers as packet.Answer[],
    additionals: answer.additionals as packet.Answer[],
  });
}

const failure = (query: Query) =>
  packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: 0x0182,
    questions: query.questions ?? [],
  });

/** Cuts an answer that does not fit a datagram, so that the client asks again over TCP. */
function fitDatagram(query: Query, response: Buffer): Buffer {
  const edns = query.additionals?.find((extra) => extra.type === "OPT") as
    | { udpPayloadSize?: number }
    | undefined;
  const limit = Math.min(Math.max(edns?.udpPayloadSize ?? udpBytesMax, udpBytesMax), 4096);
  if (response.length <= limit) return response;
  return packet.encode({
    type: "response",
    id: query.id ?? 0,
    flags: 0x0780,
    questions: query.questions ?? [],
  });
}

/** Asks one name server over UDP; rejects after the time-out. */
function ask(server: string, question: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const cancel = clock.after(upstreamTimeoutMs, () => done(new Error(`${server} timed out`)));
    const done = (result: Buffer | Error) => {
      cancel();
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.once("error", done);
    socket.once("message", (message) => done(message));
    socket.send(question, 53, server);
  });
}

class Resolver {
  readonly #options: DnsServerOptions;
  readonly #cache = new Map<string, { until: number; response: Buffer }>();

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  async resolve(message: Buffer): Promise<{ query: Query; response: Buffer }> {
    const query = packet.decode(message);
    const question = query.questions?.[0];
    if (!question) return { query, response: failure(query) };
    const answer = answerQuestion(this.#options.source, question.name, question.type);
    if (answer) return { query, response: reply(query, answer) };
    return { query, response: await this.#forward(message, query) };
  }

  async #forward(message: Buffer, query: Query): Promise<Buffer> {
    const { clock, upstreams } = this.#options;
    const key = message.subarray(2).toString("latin1");
    const cached = this.#cache.get(key);
    if (cached && cached.until > clock.monotonic()) return withId(cached.response, message);
    for (const server of upstreams) {
      try {
        const response = await ask(server, message, clock);
        this.#keep(key, response);
        return response;
      } catch (error) {
        this.#options.log.debug("name server did not answer", { server, error: String(error) });
      }
    }
    return failure(query);
  }

  #keep(key: string, response: Buffer) {
    const ttls = (packet.decode(response).answers ?? []).map((a) => ("ttl" in a ? a.ttl : 0) ?? 0);
    const ms = Math.min(cacheMsMax, ttls.length > 0 ? Math.min(...ttls) * 1000 : cacheMsMax);
    if (this.#cache.size >= cacheEntriesMax) this.#cache.clear();
    this.#cache.set(key, { until: this.#options.clock.monotonic() + ms, response });
  }
}

function withId(response: Buffer, question: Buffer): Buffer {
  const copy = Buffer.from(response);
  question.copy(copy, 0, 0, 2);
  return copy;
}

function serveUdp(socket: Socket, resolver: Resolver, log: Log) {
  socket.on("message", (message, client) => {
    resolver
      .resolve(message)
      .then(({ query, response }) =>
        socket.send(fitDatagram(query, response), client.port, client.address),
      )
      .catch((error: Error) =>
        log.debug("a DNS question was not understood", { error: error.message }),
      );
  });
  socket.on("error", (error) => log.warn("DNS socket", { error: error.message }));
}

function serveTcp(socket: TcpSocket, resolver: Resolver) {
  let buffered: Buffer = Buffer.alloc(0);
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const length = buffered.readUInt16BE(0);
      const message = buffered.subarray(2, 2 + length);
      buffered = buffered.subarray(2 + length);
      resolver.resolve(message).then(
        ({ response }) => {
          const size = Buffer.alloc(2);
          size.writeUInt16BE(response.length);
          socket.write(Buffer.concat([size, response]));
        },
        () => socket.destroy(),
      );
    }
  });
}

/** Listens on the same port for UDP and TCP; resolves with it. */
export async function startDnsServer(options: DnsServerOptions): Promise<number> {
  const { address, log, scope } = options;
  const resolver = new Resolver(options);
  const tcp = createServer((socket) => serveTcp(socket, resolver));
  tcp.maxConnections = tcpConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    tcp.once("error", reject);
    tcp.listen(options.port, address, resolve);
  });
  const { port } = tcp.address() as { port: number };
  const udp = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    udp.once("error", reject);
    udp.bind(port, address, resolve);
  });
  serveUdp(udp, resolver, log);
  scope.defer(() => {
    udp.close();
    tcp.close();
  });
  return port;
}
