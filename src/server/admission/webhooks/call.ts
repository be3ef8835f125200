// Asks a webhook: one POST over TLS of its own, within its time.
import { Readable } from "node:stream";
import type { Duplex } from "node:stream";
import { rootCertificates } from "node:tls";
import type { Clock } from "../../../lib/clock.ts";
import { dialTcp } from "../../../lib/dial-tcp.ts";
import { limitedText } from "../../../lib/limited-text.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { forward, type ForwardTarget } from "../../../lib/proxy/forward.ts";
import type { ClientConfig, ServiceReference } from "./configuration.ts";

/** Longest answer that is read. */
const answerBytesMax = 8 * 1024 * 1024;

export interface CallOptions {
  clock: Clock;
  /** Connects to one of a Service's endpoints. */
  dialService: (service: ServiceReference) => Promise<Duplex>;
}

interface Route extends ForwardTarget {
  host: string;
  path: string;
}

/** As Go's path.Join, which upstream puts every path through: `//mutate` is `/mutate`. */
const cleanPath = (path: string) => `/${path.split("/").filter(Boolean).join("/")}`;

function routeOf({ url, service, caBundle }: ClientConfig, options: CallOptions): Route {
  const ca = caBundle ? Buffer.from(caBundle, "base64").toString() : [...rootCertificates];
  // As Go does: a certificate in the bundle is trusted, also one that is no authority.
  const trust = { ca, allowPartialTrustChain: true };
  if (service) {
    const { name, namespace, path = "", port = 443 } = service;
    const host = `${name}.${namespace}.svc`;
    return {
      host: `${host}:${port}`,
      path: cleanPath(path),
      tls: { ...trust, servername: host },
      dial: () => options.dialService({ ...service, port }),
    };
  }
  const { hostname, port, host, pathname, search } = new URL(url!);
  const address = hostname.replace(/^\[|\]$/g, "");
  const isName = !/^[\d.]+$/.test(address) && !address.includes(":");
  return {
    host,
    path: cleanPath(pathname) + search,
    tls: { ...trust, host: address, ...(isName && { servername: address }) },
    dial: () => dialTcp(address, Number(port || 443)),
  };
}

const cause = (error: unknown) =>
  isStatus(error, "ServiceUnavailable") ? (error.cause ?? error) : error;

/** Resolves with the decoded answer; rejects with an Error in upstream's wording. */
export async function postJson(
  config: ClientConfig,
  body: object,
  timeoutSeconds: number,
  options: CallOptions,
): Promise<unknown> {
  const route = routeOf(config, options);
  const timeout = new AbortController();
  const late = new Error("context deadline exceeded");
  const cancel = options.clock.after(timeoutSeconds * 1000, () => timeout.abort(late));
  const mark = route.path.includes("?") ? "&" : "?";
  const path = `${route.path}${mark}timeout=${timeoutSeconds}s`;
  const bytes = Buffer.from(JSON.stringify(body));
  const expired = new Promise<never>((_, reject) =>
    timeout.signal.addEventListener("abort", () => reject(late)),
  );
  const ask = async () => {
    const answer = await forward(route, {
      method: "POST",
      path,
      headers: {
        host: route.host,
        "content-type": "application/json",
        accept: "application/json",
        "content-length": String(bytes.length),
      },
      body: Readable.from([bytes]),
      signal: timeout.signal,
    });
    const text = await limitedText(answer, answerBytesMax);
    const { statusCode = 0 } = answer;
    if (statusCode < 200 || statusCode >= 300) {
      throw new Error(text.slice(0, 1000) || `the server answered with status ${statusCode}`);
    }
    return JSON.parse(text) as unknown;
  };
  try {
    return await Promise.race([ask(), expired]);
  } catch (error) {
    const why = timeout.signal.aborted ? late : cause(error);
    const text = why instanceof Error ? why.message : String(why);
    throw new Error(`Post ${JSON.stringify(`https://${route.host}${path}`)}: ${text}`, {
      cause: error,
    });
  } finally {
    cancel();
    expired.catch(() => {});
  }
}
