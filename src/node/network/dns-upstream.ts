// Asks other name servers: over UDP, and over TCP what was cut. What they say is kept for a while, also that
// there is nothing.
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { codeOf, isTruncated, secondsOf } from "./dns-message.ts";

/** Other servers than the usual ones for names below a domain. */
export interface Upstreams {
  /** `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`, asked in turn. */
  servers: string[];
  /** By domain, without a final dot. */
  stubs: Map<string, string[]>;
}

const timeoutMs = 2000;
const cacheEntriesMax = 2000;
const cacheMsMax = 30_000;
const serverFailure = 2;

/** Pure. */
export const placeOf = (server: string) => {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(server);
  const [host, port = "53"] = bracketed
    ? [bracketed[1]!, bracketed[2]]
    : isIPv6(server)
      ? [server]
      : (server.split(":") as [string, string?]);
  return { host, port: Number(port) };
};

/** The servers for `name`: those of the longest domain that it lies in. Pure. */
export function serversFor(name: string, { servers, stubs }: Upstreams): string[] {
  const labels = name.toLowerCase().split(".");
  for (let i = 0; i < labels.length; i++) {
    const found = stubs.get(labels.slice(i).join("."));
    if (found) return found;
  }
  return servers;
}

function askUdp(server: string, question: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { host, port } = placeOf(server);
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    const cancel = clock.after(timeoutMs, () => done(new Error(`${server} timed out`)));
    const done = (result: Buffer | Error) => {
      cancel();
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.once("error", done);
    socket.on("message", (message, { port: from }) => {
      // Not what somebody else sends in its name.
      const isOurs = message.length >= 12 && message.readUInt16BE(0) === question.readUInt16BE(0);
      if (isOurs && from === port) done(message);
    });
    socket.send(question, port, host);
  });
}

function askTcp(server: string, question: Buffer, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(placeOf(server));
    let all: Buffer = Buffer.alloc(0);
    const cancel = clock.after(timeoutMs, () => done(new Error(`${server} timed out`)));
    const done = (result: Buffer | Error) => {
      cancel();
      socket.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.on("error", done);
    socket.on("close", () => done(new Error(`${server} closed`)));
    socket.on("data", (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) {
        done(all.subarray(2, 2 + all.readUInt16BE(0)));
      }
    });
    socket.write(Buffer.concat([length, question]));
  });
}

export interface UpstreamOptions {
  upstreams: () => Upstreams;
  clock: Clock;
  log: Log;
}

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #cache = new Map<string, { until: number; response: Buffer }>();
  #deafUntil = -Infinity;

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** False for a while after no server answered. */
  get answers(): boolean {
    return this.#options.clock.monotonic() >= this.#deafUntil;
  }

  /** The answer to `message`, a question about `name`; undefined when no server has one. */
  async ask(message: Buffer, name: string): Promise<Buffer | undefined> {
    const { clock, upstreams } = this.#options;
    const key = message.subarray(2).toString("latin1");
    const known = this.#cache.get(key);
    if (known && known.until > clock.monotonic()) return withId(known.response, message);
    let last: Buffer | undefined;
    for (const server of serversFor(name, upstreams())) {
      const response = await this.#askOne(server, message);
      if (!response) continue;
      last = response;
      if (codeOf(response) === serverFailure) continue;
      this.#keep(key, response);
      return response;
    }
    if (!last) this.#deafUntil = clock.monotonic() + cacheMsMax;
    return last;
  }

  async #askOne(server: string, message: Buffer): Promise<Buffer | undefined> {
    const { clock, log } = this.#options;
    try {
      const response = await askUdp(server, message, clock);
      return isTruncated(response) ? await askTcp(server, message, clock) : response;
    } catch (error) {
      log.debug("a name server did not answer", { server, error: String(error) });
      return undefined;
    }
  }

  #keep(key: string, response: Buffer) {
    const ms = Math.min(cacheMsMax, secondsOf(response) * 1000);
    if (this.#cache.size >= cacheEntriesMax) this.#cache.clear();
    this.#cache.set(key, { until: this.#options.clock.monotonic() + ms, response });
  }
}

function withId(response: Buffer, question: Buffer): Buffer {
  const copy = Buffer.from(response);
  question.copy(copy, 0, 0, 2);
  return copy;
}
