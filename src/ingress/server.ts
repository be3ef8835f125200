// The ports that let requests in. Each asks the table of now for its route, so a change needs no new socket, and
// passes requests, answers and upgraded connections on as streams.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import type { SecureContext } from "node:tls";
import type { Clock } from "../lib/clock.ts";
import { dialTcp } from "../lib/dial-tcp.ts";
import type { Log } from "../lib/log.ts";
import { forward, forwardUpgrade } from "../lib/proxy/forward.ts";
import type { Forwarded } from "../lib/proxy/forward.ts";
import { endToEnd } from "../lib/proxy/headers.ts";
import { headOf, passUpgrade } from "../lib/proxy/upgrade.ts";
import type { Random } from "../lib/random.ts";
import { chooseBackend } from "./backends.ts";
import type { Endpoint } from "./backends.ts";
import { changeHeaders, changePath, locationOf } from "./change-request.ts";
import type { Came } from "./change-request.ts";
import { certificateFor, routeFor } from "./match.ts";
import type { Backend, Certificate, Listener, Route } from "./model.ts";

const headerMsMax = 30_000;
const connectionsMax = 10_000;
const contextsMax = 1000;

export interface ServerOptions {
  /** What leads requests now. */
  listeners: () => Listener[];
  endpoints: (backend: Backend) => Endpoint[];
  clock: Clock;
  random: Random;
  log: Log;
}

/** An answer that this server gives itself. */
interface Answer {
  status: number;
  text: string;
  headers?: Record<string, string>;
}

interface Passage {
  route: Route;
  came: Came;
  endpoints: Endpoint[];
}

const hostOf = (request: IncomingMessage) =>
  (request.headers.host ?? "").toLowerCase().replace(/:\d+$/, "");

function split(url: string): [path: string, search: string] {
  const at = url.indexOf("?");
  return at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at)];
}

export class IngressServer {
  readonly #options: ServerOptions;
  readonly #port: number;
  readonly #isSecure: boolean;
  readonly #server: Server;
  readonly #contexts = new Map<string, SecureContext>();

  constructor(options: ServerOptions, port: number, isSecure: boolean) {
    this.#options = options;
    this.#port = port;
    this.#isSecure = isSecure;
    const limits = { headersTimeout: headerMsMax, insecureHTTPParser: false };
    this.#server = isSecure
      ? createTlsServer({ ...limits, SNICallback: (name, done) => this.#greet(name, done) })
      : createServer(limits);
    this.#server.maxConnections = connectionsMax;
    this.#server.on("request", (request, response) => void this.#answer(request, response));
    this.#server.on(
      "upgrade",
      (request, socket, head) => void this.#upgrade(request, socket, head),
    );
  }

  get isSecure() {
    return this.#isSecure;
  }

  listen(address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, address, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) =>
          this.#options.log.warn("ingress", { port: this.#port, error: error.message }),
        );
        resolve();
      });
    });
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #greet(name: string, done: (error: Error | null, context?: SecureContext) => void) {
    const found = certificateFor(this.#options.listeners(), this.#port, name.toLowerCase());
    if (!found) return done(new Error(`no certificate for ${name}`));
    try {
      done(null, this.#contextOf(found));
    } catch (error) {
      done(error as Error);
    }
  }

  #contextOf({ cert, key }: Certificate): SecureContext {
    const known = this.#contexts.get(cert);
    if (known) return known;
    if (this.#contexts.size >= contextsMax) this.#contexts.clear();
    const context = createSecureContext({ cert, key });
    this.#contexts.set(cert, context);
    return context;
  }

  /** Where the request goes, or what it is told here. */
  #lead(request: IncomingMessage): Passage | Answer {
    const [path, search] = split(request.url ?? "/");
    const host = hostOf(request);
    const asked = {
      host,
      method: request.method ?? "GET",
      path,
      query: new URLSearchParams(search),
      headers: request.headers,
    };
    const route = routeFor(this.#options.listeners(), this.#port, asked);
    if (!route) return { status: 404, text: "no route leads here" };
    const said = Number(/:(\d+)$/.exec(request.headers.host ?? "")?.[1]);
    const came: Came = {
      scheme: this.#isSecure ? "https" : "http",
      host,
      port: said || (this.#isSecure ? 443 : 80),
      path,
      search,
    };
    if (route.redirect) {
      const headers = { location: locationOf(route.redirect, came, route) };
      return { status: route.redirect.statusCode, text: "", headers };
    }
    const backend = chooseBackend(route, this.#options.random.float());
    if (!backend) return { status: 500, text: "the route has no such backend" };
    const endpoints = this.#options.endpoints(backend);
    if (endpoints.length > 0) return { route, came, endpoints };
    return { status: 503, text: "no endpoint is ready" };
  }

  /** The next server's connection: one of the endpoints, and another when it does not answer. */
  async #dial(endpoints: Endpoint[]): Promise<Duplex> {
    const first = Math.floor(this.#options.random.float() * endpoints.length);
    let failure: unknown;
    for (let i = 0; i < endpoints.length; i++) {
      const { address, port } = endpoints[(first + i) % endpoints.length]!;
      try {
        return await dialTcp(address, port);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #forwarded(request: IncomingMessage, { route, came }: Passage, signal: AbortSignal): Forwarded {
    const { path, hostname } = route.rewrite ?? {};
    const before = request.headers["x-forwarded-for"];
    const client = request.socket.remoteAddress?.replace(/^::ffff:/, "");
    const headers = {
      ...endToEnd(request.headers),
      host: hostname ?? request.headers.host ?? "",
      "x-forwarded-for": [before, client].filter(Boolean).join(", "),
      "x-forwarded-proto": came.scheme,
      "x-forwarded-host": request.headers.host ?? "",
    };
    const isBodied = "content-length" in request.headers || "transfer-encoding" in request.headers;
    return {
      method: request.method ?? "GET",
      path: changePath(came.path, path, route.match.path.value) + came.search,
      headers: changeHeaders(headers, route.request) as Record<string, string | string[]>,
      body: isBodied ? request : undefined,
      signal,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse) {
    response.on("error", () => {});
    const led = this.#lead(request);
    if ("text" in led) return say(response, led);
    const abort = new AbortController();
    response.on("close", () => abort.abort());
    let isLate = false;
    const { timeoutMs } = led.route;
    const late = () => {
      isLate = true;
      abort.abort();
    };
    const cancel = timeoutMs ? this.#options.clock.after(timeoutMs, late) : () => {};
    try {
      const target = { dial: () => this.#dial(led.endpoints) };
      const answer = await forward(target, this.#forwarded(request, led, abort.signal));
      const headers = changeHeaders(endToEnd(answer.headers), led.route.response);
      response.writeHead(answer.statusCode ?? 502, headers as Record<string, string | string[]>);
      answer.on("error", () => response.destroy());
      answer.on("end", cancel);
      answer.pipe(response);
    } catch {
      cancel();
      if (isLate) say(response, { status: 504, text: "the backend took too long" });
      else say(response, { status: 502, text: "the backend does not answer" });
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    socket.on("error", () => socket.destroy());
    const led = this.#lead(request);
    if ("text" in led)
      return void socket.end(`HTTP/1.1 ${led.status} \r\nconnection: close\r\n\r\n`);
    const abort = new AbortController();
    socket.on("close", () => abort.abort());
    try {
      const forwarded = this.#forwarded(request, led, abort.signal);
      const protocol = request.headers.upgrade ?? "";
      const target = { dial: () => this.#dial(led.endpoints) };
      const upgraded = await forwardUpgrade(target, forwarded, protocol);
      if ("socket" in upgraded && "answer" in upgraded) return passUpgrade(upgraded, socket, head);
      socket.write(headOf(upgraded, { ...endToEnd(upgraded.headers), connection: "close" }));
      upgraded.pipe(socket);
    } catch {
      socket.end("HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n");
    }
  }
}

function say(response: ServerResponse, { status, text, headers }: Answer) {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers });
  response.end(text === "" ? "" : `${text}\n`);
}
