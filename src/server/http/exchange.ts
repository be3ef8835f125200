// One request and its answer, whichever HTTP version carries them. This is the one place where errors
// become Status objects.
import type { Readable } from "node:stream";
import { StatusError } from "../../lib/status-error.ts";
import type { Log } from "../../lib/log.ts";
import { mediaTypeOf, protobufType } from "../body.ts";
import type { Authenticate, Credentials } from "../policy.ts";
import { prefersProtobuf } from "../negotiate.ts";
import { protobufAnswer } from "../protobuf/accepted-form.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import type { ApiServer } from "../server.ts";
import type { RequestBodies } from "./request-bodies.ts";
import type { Sink } from "./sinks.ts";
import { writeResponse } from "./write-response.ts";

/** What came in, before anybody knows who sent it. */
export interface Incoming {
  method: string;
  /** Path and query. */
  url: string;
  headers: Record<string, string | undefined>;
  body: Readable;
  certificate: Credentials["certificate"];
  remoteAddress: string | undefined;
  /** False when it is sure that no body follows. */
  hasBody: boolean;
  /** The caller is on this machine: compression would cost more than it saves. */
  local: boolean;
}

export interface ExchangeContext {
  server: ApiServer;
  authenticate: Authenticate;
  bodies: RequestBodies;
  log: Log;
}

/** Any error as a StatusError; what nobody expected is logged and told as an InternalError. */
export function asStatusError(error: unknown, log: Log): StatusError {
  if (error instanceof StatusError) return error;
  log.error("a request failed unexpectedly", { error: (error as Error)?.stack ?? String(error) });
  return new StatusError("InternalError", "Internal error occurred: the server failed to answer");
}

/** Most sites never see a binary body: its tables are loaded by the first one. */
async function decodedBody(
  { bodies }: ExchangeContext,
  { body, headers }: Incoming,
): Promise<Uint8Array | object | undefined> {
  const bytes = await bodies.read(body, Number(headers["content-length"] ?? 0));
  if (!bytes || mediaTypeOf(headers) !== protobufType) return bytes;
  const { decodeProtobuf } = await import("../protobuf/decode.ts");
  return decodeProtobuf(bytes);
}

/** Splits a URL and decodes its path by segment, so that an escaped slash stays within its segment. */
export function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const mark = url.indexOf("?");
  const raw = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  if (!raw.includes("%")) return { path: raw, query };
  try {
    const path = raw
      .split("/")
      .map((segment) => decodeURIComponent(segment).replaceAll("/", "%2F"))
      .join("/");
    return { path, query };
  } catch {
    throw new StatusError("BadRequest", `the path is not a valid URL path: ${raw}`);
  }
}

/** Whether the caller is still there. Few requests ask for the signal, so it is made when one does. */
export class Caller {
  #gone = false;
  #controller: AbortController | undefined;

  get gone() {
    return this.#gone;
  }

  /** Aborted when the caller goes away. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#gone) this.leave();
    }
    return this.#controller.signal;
  }

  leave() {
    this.#gone = true;
    this.#controller?.abort(new Error("the caller went away"));
  }
}

/** Authenticates and makes the request, whose body waits for whoever asks for it. */
export async function apiRequest(
  context: ExchangeContext,
  incoming: Incoming,
  caller: Caller,
): Promise<ApiRequest> {
  const { path, query } = splitUrl(incoming.url);
  const passesOn = context.server.passesOn(path);
  const { method, url, headers, certificate, remoteAddress } = incoming;
  const asked = { method, path, query, url, headers, ...(remoteAddress && { remoteAddress }) };
  const credentials = { headers, path, ...(certificate && { certificate }) };
  const user = await context.authenticate(credentials).catch((error: unknown) => {
    const { signal } = caller;
    const how = { certificate: certificate !== undefined };
    context.server.turnedAway({ ...asked, body: undefined, signal }, error, how);
    throw error;
  });
  const isRead = incoming.hasBody && method !== "GET" && method !== "HEAD";
  return {
    ...asked,
    ...(passesOn && incoming.hasBody && { upload: incoming.body }),
    body: undefined,
    ...(!passesOn && isRead && { readBody: () => decodedBody(context, incoming) }),
    user,
    get signal() {
      return caller.signal;
    },
  };
}

const takesGzip = (incoming: Incoming) =>
  !incoming.local && /\bgzip\b/.test(incoming.headers["accept-encoding"] ?? "");

const isTrue = (value: string | null) => value !== null && value !== "0" && value !== "false";

/** Serves one request from its first byte to its last. Never throws. */
export async function exchange(context: ExchangeContext, incoming: Incoming, sink: Sink) {
  const caller = new Caller();
  sink.onClose(() => caller.leave());
  let response: ApiResponse;
  let pretty = false;
  let isPassedOn = false;
  try {
    const request = await apiRequest(context, incoming, caller);
    isPassedOn = request.upload !== undefined;
    pretty = isTrue(request.query.get("pretty"));
    response = await context.server.handle(request);
  } catch (error) {
    const status = asStatusError(error, context.log);
    const seconds = status.details?.retryAfterSeconds;
    response = {
      code: status.code,
      object: status.toStatus(),
      headers: {
        ...status.headers,
        ...(seconds !== undefined && { "retry-after": String(seconds) }),
      },
    };
    if (prefersProtobuf(incoming.headers["accept"])) {
      response = (await protobufAnswer(response)) ?? response;
    }
  }
  if (sink.closed) return;
  const { body, hasBody } = incoming;
  if (hasBody && !isPassedOn && response.code >= 400 && !body.readableEnded) {
    body.resume();
    sink.discardRest();
  }
  try {
    const asked = { pretty, gzip: takesGzip(incoming), head: incoming.method === "HEAD" };
    await writeResponse(sink, response, asked);
  } catch (error) {
    if (!caller.gone) {
      context.log.error("an answer broke off", { error: (error as Error)?.stack ?? String(error) });
    }
    sink.destroy();
  }
}
