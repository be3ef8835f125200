// Keeps a joined node's tunnel to its server: one connection outwards, made again whenever it breaks.
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { backoffMs } from "../lib/backoff.ts";
import { sleep } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { NodeConnection } from "../lib/node-connection.ts";
import type { Scope } from "../lib/scope.ts";
import { tunnelProtocol } from "../lib/tunnel/protocol.ts";
import { serveTunnel } from "../node/tunnel.ts";
import type { NodeIdentity } from "./node-identity.ts";

const delays = { firstMs: 500, maxMs: 30_000 };
const handshakeMsMax = 15_000;
/** A tunnel that stands this long was good: the next try after it is not held back. */
const goodMs = 10_000;
/** The server pings more often than this; a silent one is gone. */
const silenceMsMax = 40_000;

interface TunnelOptions {
  server: string;
  name: string;
  identity: () => NodeIdentity;
  node: NodeConnection;
  clock: Clock;
  log: Log;
  scope: Scope;
}

function open({ server, name, identity }: TunnelOptions, signal: AbortSignal): Promise<Duplex> {
  const { ca, cert, key } = identity();
  return new Promise((resolve, reject) => {
    const asked = request(new URL(`/api/v1/nodes/${name}/tunnel`, server), {
      headers: { connection: "Upgrade", upgrade: tunnelProtocol },
      ca,
      cert,
      key,
      agent: false,
      timeout: handshakeMsMax,
      signal,
    });
    asked.once("upgrade", (_response, socket, head) => {
      socket.setTimeout(silenceMsMax, () => socket.destroy());
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

export function keepTunnel(options: TunnelOptions) {
  const { clock, log, node, scope } = options;
  const { signal } = scope;
  const run = async () => {
    for (let failures = 0; !signal.aborted;) {
      const began = clock.monotonic();
      try {
        const socket = await open(options, signal);
        const session = serveTunnel(socket, node);
        const end = () => session.destroy();
        signal.addEventListener("abort", end, { once: true });
        await new Promise<void>((resolve) => session.once("close", () => resolve()));
        signal.removeEventListener("abort", end);
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
