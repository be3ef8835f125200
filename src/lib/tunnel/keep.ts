// Keeps a tunnel to a server: one connection outwards, made again whenever it breaks, on which this side then
// answers.
import { request } from "node:https";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { backoffMs } from "../backoff.ts";
import { sleep } from "../clock.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Scope } from "../scope.ts";
import { pingHeader, pingSecondsDefault, tunnelProtocol } from "./protocol.ts";

const delays = { firstMs: 500, maxMs: 30_000 };
const handshakeMsMax = 15_000;
/** A tunnel that stands this long was good: the next try after it is not held back. */
const goodMs = 10_000;
/** A server that is silent for two of its pings, and this long, is gone. */
const lateMsMax = 10_000;
const lookEveryMs = 5000;

export interface TunnelOptions {
  url: URL;
  /** As it is now: PEM texts, which are renewed. */
  identity: () => {
    ca?: string;
    cert?: string;
    key?: string;
    servername?: string;
    headers?: Record<string, string>;
  };
  /** How often the server is to say that it is there. */
  pingSeconds?: number;
  /** Answers on the connection until it ends. */
  serve: (socket: Duplex) => ServerHttp2Session;
  clock: Clock;
  log: Log;
  scope: Scope;
}

function open({ url, identity, pingSeconds }: TunnelOptions, signal: AbortSignal): Promise<Duplex> {
  const { headers, ...tls } = identity();
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      ...tls,
      headers: {
        ...headers,
        ...(pingSeconds !== undefined && { [pingHeader]: String(pingSeconds) }),
        connection: "Upgrade",
        upgrade: tunnelProtocol,
      },
      agent: false,
      timeout: handshakeMsMax,
      signal,
    });
    asked.once("upgrade", (_response, socket, head) => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.once("response", (response) => {
      response.resume();
      reject(new Error(`the server answers ${response.statusCode}`));
    });
    asked.once("timeout", () => asked.destroy(new Error("the server does not answer")));
    asked.once("error", reject);
    asked.end();
  });
}

/** A socket's own timeout does not see the pings, which HTTP/2 answers below it. Returns its stop. */
function endWhenSilent(
  session: ServerHttp2Session,
  { clock, pingSeconds = pingSecondsDefault }: TunnelOptions,
) {
  const silenceMsMax = 2 * pingSeconds * 1000 + lateMsMax;
  let heardMs = clock.monotonic();
  const hear = () => (heardMs = clock.monotonic());
  session.on("ping", hear).on("stream", hear);
  return clock.every(lookEveryMs, () => {
    if (clock.monotonic() - heardMs > silenceMsMax) session.destroy();
  });
}

export function keepTunnel(options: TunnelOptions) {
  const { serve, clock, log, scope } = options;
  const { signal } = scope;
  const run = async () => {
    for (let failures = 0; !signal.aborted;) {
      const began = clock.monotonic();
      try {
        const socket = await open(options, signal);
        const session = serve(socket);
        const end = () => session.destroy();
        const stop = endWhenSilent(session, options);
        signal.addEventListener("abort", end, { once: true });
        await new Promise<void>((resolve) => session.once("close", () => resolve()));
        signal.removeEventListener("abort", end);
        stop();
        socket.destroy();
      } catch (error) {
        if (!signal.aborted) log.debug("the tunnel was not made", { error: String(error) });
      }
      failures = clock.monotonic() - began > goodMs ? 1 : failures + 1;
      await sleep(clock, backoffMs(failures, delays), signal).catch(() => {});
    }
  };
  const running = run();
  scope.defer(() => running);
}
