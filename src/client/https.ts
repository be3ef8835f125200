// The HTTPS transport: any conformant cluster. One HTTP/2 session carries everything, watches included; it is
// opened when first needed and again after it broke.
import { connect, constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { KubeObject } from "../kinds/object.ts";
import { StatusError } from "../lib/status-error.ts";
import type { Client, Target, WatchEvent, WatchOptions } from "./client.ts";
import type { Connection } from "./kubeconfig.ts";
import { deleteBody, patchMediaTypes, pathOf, queryOf } from "./local.ts";

interface Sent {
  query?: URLSearchParams;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
}

const { NGHTTP2_CANCEL } = constants;

class Session {
  readonly #connection: Connection;
  #session: ClientHttp2Session | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get(): ClientHttp2Session {
    const open = this.#session;
    if (open && !open.closed && !open.destroyed) return open;
    const { server, ca, cert, key } = this.#connection;
    const session = connect(server, {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    });
    session.on("error", () => session.destroy());
    session.on("goaway", () => (this.#session = undefined));
    session.unref();
    this.#session = session;
    return session;
  }
}

async function* linesOf(stream: ClientHttp2Stream): AsyncIterable<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}

/** The answer's code; rejects when the connection fails before it. */
function responseOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once("response", (headers) => resolve(Number(headers[":status"])));
    stream.once("error", (cause) =>
      reject(
        new StatusError("ServiceUnavailable", `the API server does not answer: ${cause.message}`, {
          cause,
        }),
      ),
    );
    stream.once("close", () =>
      reject(new StatusError("ServiceUnavailable", "the connection was closed")),
    );
  });
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += chunk;
  return text;
}

/** A client of the cluster behind `connection`. */
export function httpsClient(connection: Connection, agent = "kerb"): Client {
  const session = new Session(connection);
  const base = new URL(connection.server).pathname.replace(/\/$/, "");

  function open(method: string, target: Target, { query, body, contentType, signal }: Sent) {
    const search = query && query.size > 0 ? `?${query}` : "";
    const stream = session.get().request(
      {
        ":method": method,
        ":path": `${base}${pathOf(target)}${search}`,
        accept: "application/json",
        "user-agent": agent,
        ...(connection.token && { authorization: `Bearer ${connection.token}` }),
        ...(body !== undefined && { "content-type": contentType ?? "application/json" }),
      },
      { endStream: body === undefined },
    );
    if (body !== undefined) stream.end(JSON.stringify(body));
    const abort = () => stream.close(NGHTTP2_CANCEL);
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", abort));
    return stream;
  }

  async function ask<T>(method: string, target: Target, sent: Sent = {}): Promise<T> {
    const stream = open(method, target, sent);
    const code = await responseOf(stream);
    const text = await textOf(stream);
    if (code >= 400) throw statusOf(code, text);
    return JSON.parse(text) as T;
  }

  async function* watch(
    target: Target,
    options: WatchOptions = {},
  ): AsyncIterable<WatchEvent<any>> {
    const { signal, ...rest } = options;
    const match =
      rest.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" };
    const stream = open("GET", target, {
      query: queryOf(rest, { watch: "true", ...match }),
      signal,
    });
    const code = await responseOf(stream);
    if (code >= 400) throw statusOf(code, await textOf(stream));
    try {
      for await (const line of linesOf(stream)) if (line) yield JSON.parse(line);
    } finally {
      stream.close(NGHTTP2_CANCEL);
    }
  }

  return {
    get: (target, signal) => ask("GET", target, { signal }),
    list: (target, { signal, ...options } = {}) =>
      ask("GET", target, { query: queryOf(options), signal }),
    watch,
    create: (target, body, options) => ask("POST", target, { query: queryOf(options), body }),
    update: (target, body, options) => ask("PUT", target, { query: queryOf(options), body }),
    patch: (target, type, body, options) =>
      ask("PATCH", target, { query: queryOf(options), body, contentType: patchMediaTypes[type] }),
    delete: (target, options) => ask<KubeObject>("DELETE", target, { body: deleteBody(options) }),
    async deleteCollection(target, options = {}) {
      const { signal, labelSelector, fieldSelector, limit, resourceVersion } = options;
      const query = queryOf({ labelSelector, fieldSelector, limit, resourceVersion });
      await ask("DELETE", target, { query, body: deleteBody(options), signal });
    },
  };
}

/** The error that an answer means, also when it is not a Status (a proxy's page, say). */
function statusOf(code: number, text: string): StatusError {
  try {
    return StatusError.from(JSON.parse(text));
  } catch {
    return new StatusError("InternalError", text.slice(0, 200) || `HTTP ${code}`, { code });
  }
}
