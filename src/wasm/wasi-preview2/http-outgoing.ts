// wasi:http/outgoing-handler: requests of the guest's own.
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { BodyTarget } from "./http-bodies.ts";
import { IncomingResponse, methodText } from "./http-messages.ts";
import type { OutgoingRequest } from "./http-messages.ts";
import { Outcome, Pollable } from "./poll.ts";

/** What a failed request is in wasi:http's words. */
const errorTags: Record<string, string> = {
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-terminated",
  EHOSTUNREACH: "destination-unavailable",
  ENETUNREACH: "destination-unavailable",
  ETIMEDOUT: "connection-timeout",
  EPIPE: "connection-terminated",
};

function errorOf({ code = "EIO", message }: NodeJS.ErrnoException): object {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return { tag: "DNS-error", val: { rcode: code, infoCode: undefined } };
  }
  if (code === "ERR_INVALID_URL") return { tag: "HTTP-request-URI-invalid" };
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
  readonly #outcome: Outcome<IncomingMessage>;
  #isTaken = false;

  constructor(outcome: Outcome<IncomingMessage>) {
    this.#outcome = outcome;
  }

  subscribe() {
    return new Pollable(this.#outcome.state());
  }

  get() {
    if (!this.#outcome.isReady) return undefined;
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    const { failure } = this.#outcome;
    if (failure) return { tag: "ok", val: { tag: "err", val: errorOf(failure) } };
    return { tag: "ok", val: { tag: "ok", val: new IncomingResponse(this.#outcome.value) } };
  }
}

/** Resolves with the answer as soon as its head is there. */
function send(request: OutgoingRequest, quietMs: number): Promise<IncomingMessage> {
  const scheme = request.scheme()?.tag === "HTTP" ? "http" : "https";
  const url = `${scheme}://${request.authority() ?? ""}${request.pathWithQuery() ?? "/"}`;
  const headers: Record<string, string[]> = {};
  for (const [name, value] of request.headers().pairs) (headers[name] ??= []).push(value);
  const begin = scheme === "http" ? httpRequest : httpsRequest;
  return new Promise((resolve, reject) => {
    const method = methodText(request.method());
    const asked = begin(url, { method, headers, timeout: quietMs });
    asked.on("timeout", () => asked.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
    asked.on("response", (message) => {
      message.on("error", () => {});
      resolve(message);
    });
    asked.on("error", reject);
    const body = request.ownBody;
    if (body) body.attach(requestTarget(asked));
    else asked.end();
  });
}

function requestTarget(asked: ClientRequest): BodyTarget {
  return {
    writable: asked,
    write: (bytes) => void (bytes.length > 0 && asked.write(bytes)),
    end(bytes, trailers) {
      if (trailers) asked.addTrailers(trailers.pairs as [string, string][]);
      asked.end(bytes);
    },
    abort: () => asked.destroy(),
  };
}

export const outgoingHandler = {
  handle(request: OutgoingRequest, options: RequestOptions | undefined) {
    const quietMs = options?.quietMs ?? quietMsDefault;
    return new FutureIncomingResponse(new Outcome(send(request, quietMs)));
  },
};
