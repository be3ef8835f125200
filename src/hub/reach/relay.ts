// A request on its way between kubectl and a site: in from one HTTP/1.1 server, on over a connection that
// somebody else opens, and its answer back, as streams.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import type { Duplex } from "node:stream";
import { forward, forwardUpgrade } from "../../lib/proxy/forward.ts";
import type { Forwarded, ForwardTarget } from "../../lib/proxy/forward.ts";
import { endToEnd, requestHeaders } from "../../lib/proxy/headers.ts";
import { headOf, passUpgrade } from "../../lib/proxy/upgrade.ts";

export interface Relay extends ForwardTarget {
  host: string;
  /** Path and query. */
  path: string;
  /** Besides the caller's own. */
  headers: OutgoingHttpHeaders;
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

function forwardedOf(request: IncomingMessage, relay: Relay, signal: AbortSignal): Forwarded {
  const from = {
    remoteAddress: undefined,
    host: relay.host,
    uri: (request.url ?? "/").split("?")[0]!,
  };
  return {
    method: request.method!,
    path: relay.path,
    headers: { ...requestHeaders(request.headers, from), ...relay.headers },
    body: hasBody(request) ? request : undefined,
    signal,
  };
}

/** Throws a StatusError when the other side is not reached. */
export async function relayRequest(
  request: IncomingMessage,
  response: ServerResponse,
  relay: Relay,
) {
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the caller went away")));
  const answer = await forward(relay, forwardedOf(request, relay, gone.signal));
  response.writeHead(answer.statusCode!, endToEnd(answer.headers));
  // A watch shows its head before its first event.
  response.flushHeaders();
  pipeline(answer, response, () => {});
}

/** Throws a StatusError when the other side is not reached. */
export async function relayUpgrade(
  request: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
  relay: Relay,
) {
  const gone = new AbortController();
  socket.once("close", () => gone.abort(new Error("the caller went away")));
  const forwarded = forwardedOf(request, relay, gone.signal);
  const answered = await forwardUpgrade(relay, forwarded, request.headers.upgrade!);
  if ("answer" in answered) return passUpgrade(answered, socket, head);
  socket.write(headOf(answered, { ...endToEnd(answered.headers), connection: "close" }));
  pipeline(answered, socket, () => {});
}
