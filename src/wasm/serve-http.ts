// A component that exports wasi:http/incoming-handler is a server. Requests are handled one after the other,
// by an instance that is used again until it traps, or by a fresh one each.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Clock } from "../lib/clock.ts";
import { exported } from "./component.ts";
import type { Instantiate } from "./component.ts";
import { IncomingRequest, ResponseOutparam } from "./wasi-preview2/http-messages.ts";
import type { Received } from "./wasi-preview2/http-messages.ts";

export const incomingHandler = "wasi:http/incoming-handler";

export interface ServeOptions {
  instantiate: Instantiate;
  port: number;
  /** A new instance for every request. */
  isFresh: boolean;
  clock: Clock;
  /** Told of every trap, with its reason. */
  onTrap: (error: unknown) => void;
}

const bodyBytesMax = 16 * 2 ** 20;
/** Callers may not know yet that this one is going; it answers them for so long. */
const drainMs = 1500;
const keepAliveMs = 65_000;

type Handle = (request: IncomingRequest, out: ResponseOutparam) => void;

class HttpHost {
  readonly #options: ServeOptions;
  #handle: Handle | undefined;
  #isFresh: boolean;
  /** Of the instance in use. */
  #uses = 0;
  isLeaving = false;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#isFresh = options.isFresh;
  }

  #next(): Handle {
    if (!this.#isFresh && this.#handle) return this.#handle;
    const { handle } = exported(this.#options.instantiate(), incomingHandler);
    this.#uses = 0;
    return (this.#handle = handle);
  }

  answer(request: IncomingMessage, response: ServerResponse, body: Uint8Array) {
    const { rawHeaders: raw, method = "GET", url: path = "/" } = request;
    const headers: [string, string][] = [];
    for (let i = 0; i < raw.length; i += 2) headers.push([raw[i]!.toLowerCase(), raw[i + 1]!]);
    const authority = request.headers.host ?? "";
    const received = { method, path, authority, headers, body };
    let out = this.#ask(received);
    if (!out.answer && this.#uses > 1) {
      // Some (those of ComponentizeJS) answer one request in their life, and say nothing to the second.
      this.#isFresh = true;
      out = this.#ask(received);
    }
    this.#send(response, out);
  }

  #ask(received: Received): ResponseOutparam {
    const out = new ResponseOutparam();
    try {
      const handle = this.#next();
      this.#uses += 1;
      handle(new IncomingRequest(received), out);
    } catch (error) {
      // An instance that trapped is in no state to go on.
      this.#handle = undefined;
      this.#uses = 0;
      this.#options.onTrap(error);
    }
    return out;
  }

  #send(response: ServerResponse, { answer }: ResponseOutparam) {
    if (this.isLeaving) response.setHeader("connection", "close");
    if (answer?.tag !== "ok") {
      response.writeHead(500).end(answer ? `${answer.val.tag}\n` : "the handler gave no answer\n");
      return;
    }
    const { val } = answer;
    const body = val.ownBody?.bytes ?? new Uint8Array();
    for (const [name, value] of val.headers().pairs) response.appendHeader(name, value);
    if (!response.hasHeader("content-length")) response.setHeader("content-length", body.length);
    response.writeHead(val.statusCode()).end(body);
  }
}

/** All of a request's body; undefined where it is larger than is taken. */
function bodyOf(request: IncomingMessage, done: (body: Uint8Array | undefined) => void) {
  const chunks: Buffer[] = [];
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > bodyBytesMax) done(undefined);
    else chunks.push(chunk);
  });
  request.on("end", () => {
    if (size <= bodyBytesMax) done(Buffer.concat(chunks));
  });
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
const nothing = new Uint8Array();

/** Ends when nobody asks any more. */
function leave(server: Server, host: HttpHost, clock: Clock) {
  host.isLeaving = true;
  clock.after(drainMs, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

export function serveHttp(options: ServeOptions): Server {
  const host = new HttpHost(options);
  const server = createServer((request, response) => {
    if (!hasBody(request)) return host.answer(request, response, nothing);
    bodyOf(request, (body) => {
      if (body) return host.answer(request, response, body);
      response.writeHead(413, { connection: "close" }).end("the body is too large\n");
      request.destroy();
    });
  });
  server.keepAliveTimeout = keepAliveMs;
  server.listen(options.port);
  process.once("SIGTERM", () => leave(server, host, options.clock));
  return server;
}
