// The HTTPS transport: any conformant cluster, over one HTTP/2 session that carries everything, watches
// included.
import { constants } from "node:http2";
import type { ClientHttp2Stream } from "node:http2";
import { compose } from "node:stream";
import { createGunzip } from "node:zlib";
import type { KubeObject } from "../kinds/object.ts";
import { systemClock } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import { StatusError } from "../lib/status-error.ts";
import type {
  Client,
  ListOptions,
  ObjectList,
  Target,
  WatchEvent,
  WatchOptions,
} from "./client.ts";
import { Http2Session, pingMsDefault } from "./http2-session.ts";
import type { Connection } from "./kubeconfig.ts";
import { deleteBody, patchMediaTypes, pathOf, queryOf } from "./local.ts";

export interface HttpsOptions {
  /** Names the client in managedFields and logs. */
  agent?: string;
  clock?: Clock;
  /** A connection from which nothing comes for this long is asked whether it is alive. */
  pingMs?: number;
  /** A request other than a watch takes at most this long. */
  requestMsMax?: number;
}

interface Sent {
  query?: URLSearchParams;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal | undefined;
}

export interface HttpsClient extends Client {
  /** What lies at a path that is no object's: a version, what there is. */
  read<T>(path: string, accept?: string): Promise<T>;
  close(): void;
}

const onlyMetadata =
  "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

const { NGHTTP2_CANCEL } = constants;

const unavailable = (why: string, cause?: unknown) =>
  new StatusError("ServiceUnavailable", why, { cause });

/** Lines of JSON, however they are cut into chunks. */
async function* linesOf(stream: ClientHttp2Stream): AsyncIterable<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream as AsyncIterable<string>) {
    if (!chunk.includes("\n")) {
      rest += chunk;
      continue;
    }
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}

interface Answer {
  code: number;
  /** Servers compress what is long, for those who say that they can read it. */
  isZipped: boolean;
}

/** How the answer begins; rejects when the connection fails before it. */
function responseOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    stream.once("response", (headers) =>
      resolve({
        code: Number(headers[":status"]),
        isZipped: headers["content-encoding"] === "gzip",
      }),
    );
    stream.once("error", (cause) =>
      reject(unavailable(`the API server does not answer: ${cause.message}`, cause)),
    );
    stream.once("close", () => reject(unavailable("the connection was closed before the answer")));
  });
}

async function textOf(stream: ClientHttp2Stream, isZipped = false): Promise<string> {
  let text = "";
  const whole = isZipped ? compose(stream, createGunzip()) : stream;
  whole.setEncoding("utf8");
  for await (const chunk of whole) text += chunk;
  return text;
}

/** What went wrong on the way, as an error of the API. */
const asStatus = (error: unknown) =>
  error instanceof StatusError
    ? error
    : unavailable(`the connection broke: ${String(error)}`, error);

/** Items of built-in kinds come without kind and apiVersion; every reader wants them. */
function nameItems<T extends KubeObject>(list: ObjectList<T>): ObjectList<T> {
  const kind = list.kind.replace(/List$/, "");
  for (const item of list.items ?? []) {
    item.apiVersion ??= list.apiVersion;
    item.kind ??= kind;
  }
  return list;
}

/** The error that an answer means, also when it is not a Status (a proxy's page, say). */
function statusOf(code: number, text: string): StatusError {
  try {
    return StatusError.from(JSON.parse(text));
  } catch {
    return new StatusError("InternalError", text.slice(0, 200) || `HTTP ${code}`, { code });
  }
}

class Transport {
  readonly #connection: Connection;
  readonly #options: Required<HttpsOptions>;
  readonly #session: Http2Session;
  /** What the server's URL holds before `/api`. */
  readonly #base: string;

  constructor(connection: Connection, options: Required<HttpsOptions>) {
    this.#connection = connection;
    this.#options = options;
    this.#session = new Http2Session(connection, options);
    this.#base = new URL(connection.server).pathname.replace(/\/$/, "");
  }

  close() {
    this.#session.close();
  }

  async ask<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
    const { clock, requestMsMax } = this.#options;
    const stream = this.#open(method, path, sent);
    let late = false;
    const cancel = clock.after(requestMsMax, () => {
      late = true;
      stream.close(NGHTTP2_CANCEL);
    });
    try {
      const { code, isZipped } = await responseOf(stream);
      const text = await textOf(stream, isZipped);
      if (code >= 400) throw statusOf(code, text);
      return JSON.parse(text) as T;
    } catch (error) {
      sent.signal?.throwIfAborted();
      if (late) throw new StatusError("Timeout", `no answer within ${requestMsMax} ms`);
      throw asStatus(error);
    } finally {
      cancel();
    }
  }

  async *watch(target: Target, options: WatchOptions = {}): AsyncIterable<WatchEvent<any>> {
    const { signal, ...rest } = options;
    const match =
      rest.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" };
    const query = queryOf(rest, { watch: "true", ...match });
    if (signal?.aborted) return;
    const stream = this.#open("GET", pathOf(target), { query, signal });
    try {
      const { code } = await responseOf(stream);
      if (code >= 400) throw statusOf(code, await textOf(stream));
      for await (const line of linesOf(stream)) if (line) yield JSON.parse(line);
    } catch (error) {
      if (!signal?.aborted) throw asStatus(error);
    } finally {
      stream.close(NGHTTP2_CANCEL);
    }
  }

  #open(method: string, path: string, { query, body, contentType, accept, signal }: Sent) {
    signal?.throwIfAborted();
    const search = query && query.size > 0 ? `?${query}` : "";
    const token = this.#connection.token?.();
    const headers = {
      ":method": method,
      ":path": `${this.#base}${path}${search}`,
      accept: accept ?? "application/json",
      "user-agent": this.#options.agent,
      ...(method === "GET" && !query?.has("watch") && { "accept-encoding": "gzip" }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "content-type": contentType ?? "application/json" }),
    };
    const stream = this.#session.request(headers, body === undefined);
    if (body !== undefined) stream.end(JSON.stringify(body));
    const abort = () => stream.close(NGHTTP2_CANCEL);
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", abort));
    return stream;
  }
}

/** A client of the cluster behind `connection`; `close` ends what is still open. */
export function httpsClient(
  connection: Connection,
  {
    agent = "kerb",
    clock = systemClock,
    pingMs = pingMsDefault,
    requestMsMax = 60_000,
  }: HttpsOptions = {},
): HttpsClient {
  const transport = new Transport(connection, { agent, clock, pingMs, requestMsMax });
  const ask = <T>(method: string, target: Target, sent?: Sent) =>
    transport.ask<T>(method, pathOf(target), sent);
  return {
    close: () => transport.close(),
    read: <T>(path: string, accept?: string) =>
      transport.ask<T>("GET", path, accept === undefined ? {} : { accept }),
    get: (target, signal) => ask("GET", target, { signal }),
    list: async <T extends KubeObject>(target: Target, { signal, ...options }: ListOptions = {}) =>
      nameItems(await ask<ObjectList<T>>("GET", target, { query: queryOf(options), signal })),
    watch: (target, options) => transport.watch(target, options),
    create: (target, body, options) => ask("POST", target, { query: queryOf(options), body }),
    update: (target, body, options) => ask("PUT", target, { query: queryOf(options), body }),
    patch: (target, type, body, { brief, ...options } = {}) =>
      ask("PATCH", target, {
        ...{ query: queryOf(options), body, contentType: patchMediaTypes[type] },
        ...(brief && { accept: onlyMetadata }),
      }),
    delete: (target, options) => ask<KubeObject>("DELETE", target, { body: deleteBody(options) }),
    async deleteCollection(target, options = {}) {
      const { signal, labelSelector, fieldSelector, limit, resourceVersion } = options;
      const query = queryOf({ labelSelector, fieldSelector, limit, resourceVersion });
      await ask("DELETE", target, { query, body: deleteBody(options), signal });
    },
  };
}
