// wasi:http/outgoing-handler: requests of the guest's own.
import { theBridge } from "./bridge.ts";
import type { Ticket } from "./bridge.ts";
import type { HttpAnswer, HttpAsked } from "./bridge-worker.ts";
import { IncomingResponse, methodText } from "./http-messages.ts";
import type { OutgoingRequest } from "./http-messages.ts";
import { Pollable } from "./poll.ts";

/** What a failed request is in wasi:http's words. */
const errorTags: Record<string, string> = {
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-terminated",
  EHOSTUNREACH: "destination-unavailable",
  ENETUNREACH: "destination-unavailable",
  ETIMEDOUT: "connection-timeout",
  EPIPE: "connection-terminated",
};

function errorOf({ code, message }: { code: string; message: string }): object {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return { tag: "DNS-error", val: { rcode: code, infoCode: undefined } };
  }
  if (code === "EFBIG") return { tag: "HTTP-response-body-size", val: undefined };
  const tag = errorTags[code];
  return tag ? { tag } : { tag: "internal-error", val: `${code} ${message}`.trim() };
}

export class RequestOptions {
  #connect: bigint | undefined;
  #firstByte: bigint | undefined;
  #betweenBytes: bigint | undefined;

  connectTimeout() {
    return this.#connect;
  }

  setConnectTimeout(ns: bigint | undefined) {
    this.#connect = ns;
  }

  firstByteTimeout() {
    return this.#firstByte;
  }

  setFirstByteTimeout(ns: bigint | undefined) {
    this.#firstByte = ns;
  }

  betweenBytesTimeout() {
    return this.#betweenBytes;
  }

  setBetweenBytesTimeout(ns: bigint | undefined) {
    this.#betweenBytes = ns;
  }

  /** The longest that nothing may come. */
  get quietMs(): number {
    const all = [this.#connect, this.#firstByte, this.#betweenBytes].filter((one) => one);
    return all.length > 0 ? Math.max(...all.map((ns) => Number(ns) / 1e6)) : quietMsDefault;
  }
}

const quietMsDefault = 60_000;

export class FutureIncomingResponse {
  #ticket: Ticket<HttpAnswer> | undefined;
  #isTaken = false;
  readonly #begin: () => Ticket<HttpAnswer>;

  constructor(request: OutgoingRequest, options: RequestOptions | undefined) {
    this.#begin = () => theBridge().start("http", askedOf(request, options));
    const body = request.ownBody;
    if (!body || body.isFinished) this.#ticket = this.#begin();
    else body.onFinish = () => void (this.#ticket = this.#begin());
  }

  subscribe() {
    return new Pollable({ isReady: () => this.#ticket?.isReady ?? false });
  }

  get() {
    if (!this.#ticket?.isReady) return undefined;
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    const { failure } = this.#ticket;
    if (failure) return { tag: "ok", val: { tag: "err", val: errorOf(failure) } };
    const { status, headers, body } = this.#ticket.value;
    const val = new IncomingResponse(status, headers, body);
    return { tag: "ok", val: { tag: "ok", val } };
  }
}

function askedOf(request: OutgoingRequest, options: RequestOptions | undefined): HttpAsked {
  const scheme = request.scheme()?.tag === "HTTP" ? "http" : "https";
  return {
    url: `${scheme}://${request.authority() ?? ""}${request.pathWithQuery() ?? "/"}`,
    method: methodText(request.method()),
    headers: [...request.headers().pairs],
    body: request.ownBody?.bytes ?? new Uint8Array(),
    timeoutMs: options?.quietMs ?? quietMsDefault,
  };
}

export const outgoingHandler = {
  handle: (request: OutgoingRequest, options: RequestOptions | undefined) =>
    new FutureIncomingResponse(request, options),
};
