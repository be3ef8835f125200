// What of a request's and an answer's headers is for the next hop, and what is not.
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";

/** RFC 7230, section 6.1, with the old ones that Go's ReverseProxy drops too. */
const hopByHop = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/** Read by the server itself, or said by it alone: who a caller is, no caller says. */
const forServer =
  /^(?:authorization|expect|host|impersonate-.*|x-remote-(?:user|uid|group|extra-.*)|:.*)$/;

function namedInConnection(headers: IncomingHttpHeaders): Set<string> {
  const text = headers.connection ?? "";
  return new Set(text.split(",").map((name) => name.trim().toLowerCase()));
}

/** The headers without those of this hop. */
export function endToEnd(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = namedInConnection(headers);
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || hopByHop.has(name) || named.has(name)) continue;
    kept[name] = value;
  }
  return kept;
}

/** A caller's headers as the next server gets them. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  from: { remoteAddress: string | undefined; host: string; uri: string },
): OutgoingHttpHeaders {
  const kept = Object.entries(endToEnd(headers)).filter(([name]) => !forServer.test(name));
  const before = headers["x-forwarded-for"];
  const forwardedFor = [before, from.remoteAddress].filter(Boolean).join(", ");
  return {
    ...Object.fromEntries(kept),
    host: from.host,
    "x-forwarded-uri": from.uri,
    ...(forwardedFor && { "x-forwarded-for": forwardedFor }),
  };
}
