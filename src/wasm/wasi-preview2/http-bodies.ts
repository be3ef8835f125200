// Bodies of wasi:http. What comes in is read from the connection when the guest reads; what goes out waits here
// until the guest yields its thread, so that an answer in one piece goes out in one piece.
import type { IncomingMessage } from "node:http";
import type { Writable } from "node:stream";
import { Fields } from "./http-fields.ts";
import { listenTo, readableSource, roomBytes, roomIn } from "./node-streams.ts";
import { Pollable, readyNow } from "./poll.ts";
import { refuse } from "./refuse.ts";
import { InputStream, IoError, OutputStream, closed } from "./streams.ts";

/** Of a body that nobody takes yet, and of one whose guest goes on without a wait. */
export const heldBytesMax = 1 << 20;

type Trailers = { tag: "ok"; val: Fields | undefined } | { tag: "err"; val: { tag: string } };

export class FutureTrailers {
  readonly #message: IncomingMessage | undefined;
  #isTaken = false;

  constructor(message: IncomingMessage | undefined) {
    this.#message = message;
    // What the guest left unread stands before the trailers.
    message?.resume();
  }

  get #isReady(): boolean {
    const message = this.#message;
    return !message || message.readableEnded || message.destroyed;
  }

  subscribe() {
    const message = this.#message;
    if (!message) return readyNow();
    const listen = (wake: () => void) => listenTo(message, ["end", "error", "close"], wake);
    return new Pollable({ isReady: () => this.#isReady, listen });
  }

  get() {
    if (!this.#isReady) return undefined;
    if (this.#isTaken) return { tag: "err" };
    this.#isTaken = true;
    return { tag: "ok", val: this.#trailers() };
  }

  #trailers(): Trailers {
    const message = this.#message;
    if (message && !message.complete) return { tag: "err", val: { tag: "connection-terminated" } };
    const raw = message?.rawTrailers ?? [];
    const pairs = raw.flatMap((name, i): [string, string][] =>
      i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1]!]] : [],
    );
    return { tag: "ok", val: pairs.length > 0 ? Fields.received(pairs) : undefined };
  }
}

export class IncomingBody {
  readonly #message: IncomingMessage | undefined;
  #isTaken = false;

  /** Undefined: one without bytes. */
  constructor(message: IncomingMessage | undefined) {
    this.#message = message;
  }

  stream(): InputStream {
    if (this.#isTaken) refuse();
    this.#isTaken = true;
    const message = this.#message;
    return new InputStream(message ? readableSource(message) : { read: () => undefined });
  }

  static finish(body: IncomingBody) {
    return new FutureTrailers(body.#message);
  }
}

/** Where a body goes. */
export interface BodyTarget {
  writable: Writable;
  /** Some of it; perhaps nothing but that it begins. */
  write(bytes: Uint8Array): void;
  /** The rest of it, which is all where nothing was written before. */
  end(bytes: Uint8Array, trailers: Fields | undefined): void;
  /** It is cut off. */
  abort(): void;
}

export class OutgoingBody {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isTaken = false;
  #isOver = false;
  #isFlushing = false;
  #target: BodyTarget | undefined;
  #trailers: Fields | undefined;
  readonly #wakes = new Set<() => void>();

  write(): OutputStream {
    if (this.#isTaken) refuse();
    this.#isTaken = true;
    return new OutputStream({
      room: () => this.#room(),
      write: (bytes) => this.#add(bytes),
      readiness: {
        isReady: () => this.#isWritable(),
        listen: (wake) => this.#listen(wake),
      },
    });
  }

  /** Says where it goes; it begins to when the guest yields. */
  attach(target: BodyTarget) {
    this.#target = target;
    this.#flushSoon();
    for (const wake of this.#wakes) wake();
  }

  #isWritable() {
    if (this.#isOver || !this.#target) return true;
    return this.#heldBytes < heldBytesMax && roomIn(this.#target.writable).isReady();
  }

  #listen(wake: () => void) {
    this.#wakes.add(wake);
    const cancel = this.#target && roomIn(this.#target.writable).listen!(wake);
    return () => {
      this.#wakes.delete(wake);
      cancel?.();
    };
  }

  #room(): number {
    if (this.#isOver) refuse(closed);
    const left = heldBytesMax - this.#heldBytes;
    return Math.max(0, this.#target ? Math.min(roomBytes(this.#target.writable), left) : left);
  }

  #add(bytes: Uint8Array) {
    if (this.#isOver || this.#target?.writable.destroyed) refuse(closed);
    if (!this.#target && this.#heldBytes + bytes.length > heldBytesMax) {
      throw new IoError(`more than ${heldBytesMax} bytes of a body that nobody takes yet`);
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.#flushSoon();
  }

  #flushSoon() {
    if (this.#isFlushing || !this.#target) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush(this.#target!);
    });
  }

  #flush(target: BodyTarget) {
    const bytes = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (target.writable.destroyed) return;
    if (this.#isOver) target.end(bytes, this.#trailers);
    else target.write(bytes);
    for (const wake of this.#wakes) wake();
  }

  static finish(body: OutgoingBody, trailers: Fields | undefined) {
    if (body.#isOver) return;
    body.#isOver = true;
    body.#trailers = trailers;
    body.#flushSoon();
  }

  get isFinished() {
    return this.#isOver;
  }

  /** Dropped before its end: whoever takes it must not think that it is whole. */
  [Symbol.dispose]() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#target?.abort();
  }
}
