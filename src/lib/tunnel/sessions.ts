// The tunnels that others have opened to this server: each an upgraded connection on which the other side
// serves HTTP/2. Who connects again takes the place of its older tunnel, which may be dead and not know it.
import type { IncomingHttpHeaders } from "node:http";
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { pingHeader, pingSecondsDefault, tunnelProtocol } from "./protocol.ts";

/** A tunnel says something at least this often, so that routers on the way do not forget it. */
const pingSecondsMax = 120;
const pongMsMax = 10_000;

/** How often the other side wants to hear something, by the headers of its upgrade. */
export function pingMsOf(headers: IncomingHttpHeaders): number {
  const asked = Number(headers[pingHeader] ?? pingSecondsDefault);
  const isNumber = asked >= pingSecondsDefault;
  return 1000 * (isNumber ? Math.min(asked, pingSecondsMax) : pingSecondsDefault);
}

const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`;

export class TunnelSessions {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #byName = new Map<string, ClientHttp2Session>();
  readonly #heardMs = new WeakMap<ClientHttp2Session, number>();

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** For use: one that was not heard for long may be dead, which then shows soon. */
  get(name: string): ClientHttp2Session | undefined {
    const session = this.#byName.get(name);
    const silentMs = this.#clock.monotonic() - (session ? this.#heardMs.get(session)! : 0);
    if (session && silentMs > pingSecondsDefault * 1000) this.#ping(session);
    return session;
  }

  close() {
    for (const session of this.#byName.values()) session.destroy();
  }

  /** Takes the connection over; the caller has seen that it asks for `tunnelProtocol`. */
  async open(name: string, socket: Duplex, headers: IncomingHttpHeaders = {}): Promise<void> {
    // HTTP/2 takes the connection over whole: nothing of ours may still be on its way.
    await new Promise<void>((resolve, reject) => {
      socket.write(head, (error) => (error ? reject(error) : resolve()));
    });
    const session = connect("http://tunnel", { createConnection: () => socket });
    this.#byName.get(name)?.destroy();
    this.#byName.set(name, session);
    this.#log.info("connected", { name });
    this.#heardMs.set(session, this.#clock.monotonic());
    const stop = this.#clock.every(pingMsOf(headers), () => this.#ping(session));
    session.on("error", () => session.destroy());
    session.once("close", () => {
      stop();
      socket.destroy();
      if (this.#byName.get(name) !== session) return;
      this.#byName.delete(name);
      this.#log.info("no longer connected", { name });
    });
  }

  #ping(session: ClientHttp2Session) {
    if (session.destroyed) return;
    const giveUp = this.#clock.after(pongMsMax, () => session.destroy());
    session.ping((error) => {
      giveUp();
      this.#heardMs.set(session, this.#clock.monotonic());
      if (error) session.destroy();
    });
  }
}
