// The two ways in which a request is passed on: as a request with its answer, and as an upgrade. What
// comes back is told as it is, but for links that would lead past the proxy.
import type { IncomingMessage } from "node:http";
import { pipeline, type Duplex, type Readable } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import { StatusError } from "../../lib/status-error.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import {
  forward,
  type Forwarded,
  type ForwardTarget,
  forwardUpgrade,
} from "../../lib/proxy/forward.ts";
import { endToEnd, requestHeaders } from "../../lib/proxy/headers.ts";
import { headOf, passUpgrade } from "../../lib/proxy/upgrade.ts";
import { rewriteHtml } from "./rewrite-html.ts";
import { type ProxiedPlace, rewriteUrl } from "./rewrite-url.ts";

export interface Passage extends ForwardTarget {
  /** The Host header. */
  host: string;
  /** Path and query. */
  path: string;
  /** Headers besides the caller's. */
  headers?: Record<string, string | string[]>;
  /** Where links are led; absent when they stay as they are and redirects are refused. */
  place?: ProxiedPlace;
}

function forwardedOf(request: ApiRequest, passage: Passage): Forwarded {
  const uri = (request.url ?? request.path).split("?")[0]!;
  const { host, path } = passage;
  const headers = requestHeaders(request.headers, {
    remoteAddress: request.remoteAddress,
    host,
    uri,
  });
  return {
    method: request.method,
    path,
    headers: { ...headers, ...passage.headers },
    body: request.upload,
    signal: request.signal,
  };
}

const isRedirect = ({ statusCode = 0, headers }: IncomingMessage) =>
  statusCode >= 300 && statusCode < 400 && headers.location !== undefined;

const redirectRefused = () =>
  new StatusError(
    "InternalError",
    "the backend attempted to redirect this request, which is not permitted",
    { code: 502 },
  );

const decoders: Record<string, (() => Duplex) | undefined> = {
  gzip: createGunzip,
  deflate: createInflate,
};

type Headers = Record<string, string | string[]>;

/** A page with its links led back; pages in an encoding that is not known stay as they are. */
function rewritePage(answer: IncomingMessage, headers: Headers, place: ProxiedPlace): Readable {
  const encoding = answer.headers["content-encoding"] ?? "";
  const decode = decoders[encoding];
  if (encoding && !decode) return answer;
  delete headers["content-length"];
  delete headers["content-encoding"];
  const rewriter = rewriteHtml((link) => rewriteUrl(link, place));
  const ignore = () => {};
  return decode ? pipeline(answer, decode(), rewriter, ignore) : pipeline(answer, rewriter, ignore);
}

const isPage = ({ headers }: IncomingMessage) =>
  (headers["content-type"] ?? "").split(";")[0]!.trim() === "text/html";

/** Codes whose answers have no body. */
const bodiless = new Set([204, 304]);

/** Passes a request on and its answer back. */
export async function passOn(request: ApiRequest, passage: Passage): Promise<ApiResponse> {
  const answer = await forward(passage, forwardedOf(request, passage));
  const { place } = passage;
  if (!place && isRedirect(answer)) {
    answer.destroy();
    throw redirectRefused();
  }
  const headers = endToEnd(answer.headers);
  if (place && answer.headers.location) {
    headers["location"] = rewriteUrl(answer.headers.location, place);
  }
  if (request.method === "HEAD" || bodiless.has(answer.statusCode!)) {
    answer.resume();
    return { code: answer.statusCode!, headers, passedOn: true };
  }
  const page = place && isPage(answer);
  const stream = page ? rewritePage(answer, headers, place) : answer;
  return { code: answer.statusCode!, headers, passedOn: true, stream };
}

/**
 * Passes an upgrade on. A refusal is told with its body and ends the connection: what follows on it would
 * reach the other server unjudged.
 */
export async function passOnUpgrade(
  request: ApiRequest,
  passage: Passage,
  { message, socket, head }: UpgradeSocket,
) {
  const forwarded = forwardedOf(request, passage);
  const answered = await forwardUpgrade(passage, forwarded, message.headers.upgrade!);
  if (!("answer" in answered)) {
    if (!passage.place && isRedirect(answered)) throw redirectRefused();
    const headers = { ...endToEnd(answered.headers), connection: "close" };
    socket.write(headOf(answered, headers));
    pipeline(answered, socket, () => {});
    return;
  }
  passUpgrade(answered, socket, head);
}
