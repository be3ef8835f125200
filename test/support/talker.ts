// A client of an echo server that sends a numbered line every few milliseconds over one connection and knows whether
// all came back, in their order.
import { connect } from "node:net";
import type { Socket } from "node:net";

const everyMs = 20;

export class Talker {
  readonly host: string;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #heard = 0;
  #rest = "";
  #heardAt = performance.now();
  /** The longest time without an answer. */
  longestMs = 0;
  /** Why the connection ended, or what came back wrong. */
  trouble: string | undefined;

  constructor(host: string, port: number) {
    this.host = host;
    this.#socket = connect(port, host);
    this.#socket.setEncoding("utf8").setNoDelay();
    this.#socket.on("data", (text: string) => this.#hear(text));
    this.#socket.on("error", (error) => (this.trouble ??= error.message));
    this.#socket.on("close", () => (this.trouble ??= "the connection was closed"));
    this.#timer = setInterval(() => this.#socket.write(`line ${this.#sent++}\n`), everyMs);
  }

  get heard() {
    return this.#heard;
  }

  get sent() {
    return this.#sent;
  }

  #hear(text: string) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line !== `line ${this.#heard}`) this.trouble ??= `"${line}" instead of ${this.#heard}`;
      this.#heard++;
    }
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.#heardAt);
    this.#heardAt = now;
  }

  end() {
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}
