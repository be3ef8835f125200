// The one HTTP/2 session of a client, opened when first needed and again after it broke. A connection can
// die without a word (a cable, a NAT that forgets), so while streams are open and nothing comes it is pinged.
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Clock } from "../lib/clock.ts";
import type { Connection } from "./kubeconfig.ts";

/** What is not heard for this long is pinged. */
export const pingMsDefault = 30_000;
/** An answer is waited for as long as silence is, and no longer than this. */
const pongMsMax = 15_000;

export class Http2Session {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #pingMs: number;
  #session: ClientHttp2Session | undefined;

  constructor(connection: Connection, { clock, pingMs }: { clock: Clock; pingMs: number }) {
    this.#connection = connection;
    this.#clock = clock;
    this.#pingMs = pingMs;
  }

  /** Keeps the process alive while the stream is open, and no longer. */
  request(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    const session = this.#open();
    const stream = session.request(headers, { endStream });
    streamsOf.set(session, (streamsOf.get(session) ?? 0) + 1);
    if (!session.destroyed) session.ref();
    stream.once("close", () => {
      const left = streamsOf.get(session)! - 1;
      streamsOf.set(session, left);
      if (left === 0 && !session.destroyed) session.unref();
    });
    return stream;
  }

  close() {
    this.#session?.destroy();
  }

  #open(): ClientHttp2Session {
    const known = this.#session;
    if (known && !known.closed && !known.destroyed) return known;
    const { server, ca, cert, key, serverName } = this.#connection;
    const session = connect(server, {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(serverName && { servername: serverName }),
    });
    // Streams tell of it: each gets the error too.
    session.on("error", () => session.destroy());
    session.on("goaway", () => {
      if (this.#session === session) this.#session = undefined;
    });
    let heardBytes = 0;
    const look = () => {
      const bytes = session.destroyed ? heardBytes : session.socket.bytesRead;
      if (bytes === heardBytes) this.#ping(session);
      heardBytes = bytes;
    };
    const stop = this.#clock.every(this.#pingMs, look);
    session.once("close", stop);
    this.#session = session;
    return session;
  }

  #ping(session: ClientHttp2Session) {
    if (session.destroyed || session.connecting || !streamsOf.get(session)) return;
    const late = () => session.destroy(new Error("the connection is dead: no answer to a ping"));
    const cancel = this.#clock.after(Math.min(this.#pingMs, pongMsMax), late);
    session.ping((error) => {
      cancel();
      if (error) session.destroy();
    });
  }
}

const streamsOf = new WeakMap<ClientHttp2Session, number>();
