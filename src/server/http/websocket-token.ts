// Browsers cannot send an Authorization header with a WebSocket; they send the token as one of its protocols.
import { badRequest } from "../../lib/status-error.ts";

const prefix = "base64url.bearer.authorization.k8s.io.";

/**
 * The token and the protocols without it; undefined when none is sent that way. The token's own must not be
 * the only protocol, since it is never chosen.
 */
export function tokenInProtocols(header: string | undefined) {
  if (!header?.includes(prefix)) return undefined;
  const protocols = header.split(",").map((one) => one.trim());
  const tokens = protocols.filter((one) => one.startsWith(prefix));
  const rest = protocols.filter((one) => !one.startsWith(prefix));
  if (tokens.length > 1) throw badRequest("multiple base64.bearer.authorization tokens specified");
  if (tokens.length === 0) return undefined;
  if (rest.length === 0) throw badRequest("missing additional subprotocol");
  const token = Buffer.from(tokens[0]!.slice(prefix.length), "base64url").toString();
  return { token, protocols: rest.join(", ") };
}
