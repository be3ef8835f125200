// Bodies of wasi:http. They are whole: one that comes in is there before the guest sees it, and one that goes
// out goes when the guest has finished it.
import type { Fields } from "./http-fields.ts";
import { readyNow } from "./poll.ts";
import { refuse } from "./refuse.ts";
import { InputStream, IoError, OutputStream, bytesSource } from "./streams.ts";

export const bodyBytesMax = 64 * 2 ** 20;

export class FutureTrailers {
  subscribe() {
    return readyNow();
  }

  get() {
    return { tag: "ok", val: { tag: "ok", val: undefined } };
  }
}

export class IncomingBody {
  readonly #bytes: Uint8Array;
  #isTaken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  stream(): InputStream {
    if (this.#isTaken) refuse();
    this.#isTaken = true;
    return new InputStream(bytesSource(this.#bytes));
  }

  static finish(_body: IncomingBody) {
    return new FutureTrailers();
  }
}

export class OutgoingBody {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #isTaken = false;
  #isFinished = false;
  /** Told once no more will come. */
  onFinish: (() => void) | undefined;

  write(): OutputStream {
    if (this.#isTaken) refuse();
    this.#isTaken = true;
    return new OutputStream({ write: (bytes) => this.#add(bytes) });
  }

  #add(bytes: Uint8Array) {
    this.#size += bytes.length;
    if (this.#size > bodyBytesMax) throw new IoError(`a body is larger than ${bodyBytesMax} bytes`);
    this.#chunks.push(Uint8Array.from(bytes));
  }

  static finish(body: OutgoingBody, _trailers: Fields | undefined) {
    body.#end();
  }

  #end() {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.onFinish?.();
  }

  get isFinished() {
    return this.#isFinished;
  }

  get bytes(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }

  [Symbol.dispose]() {
    this.#end();
  }
}
