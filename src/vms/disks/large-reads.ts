// A connection whose reads are large and use the same memory again and again. Node's parser of HTTP copies each body
// into new memory, which costs more than to write it; so the parser gets the head, and a body of known length goes past
// it. Whoever takes a piece holds it until it is written; while all memory is held, nothing is read, so a slow disk
// slows the source down.
import { connect as plainConnect } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import type { ConnectionOptions } from "node:tls";

const slabBytes = 2 ** 20;
const slabCount = 4;
/** A shorter rest of a slab is not read into. */
const restBytesMin = 2 ** 16;
const headEnd = "\r\n\r\n";

export interface LargeReadsOptions {
  tls: boolean;
  /** Of silence while something is waited for. */
  idleMsMax: number;
}

export type Take = (piece: Buffer, letGo: () => void) => void;

interface Slab {
  memory: Buffer;
  holders: number;
}

interface Flow {
  take: Take;
  bytesLeft: number;
  end: (error?: Error | null) => void;
}

export class LargeReads extends Duplex {
  readonly #socket: Socket;
  readonly #slabs: Slab[] = [];
  #turn = 0;
  #filled = 0;
  #isFirst = true;
  #mayDetach = false;
  #isDetached = false;
  /** What came of the body before somebody took it. */
  #early: [Buffer, Slab] | undefined;
  #flow: Flow | undefined;
  #error: Error | undefined;

  constructor(target: object, { tls, idleMsMax }: LargeReadsOptions) {
    super();
    const onread = {
      buffer: () => this.#slab.memory.subarray(this.#filled),
      callback: (bytes: number) => this.#read(bytes),
    };
    const options: object = { ...target, onread, timeout: idleMsMax };
    this.#socket = tls
      ? tlsConnect(options as ConnectionOptions)
      : plainConnect(options as NetConnectOpts);
    this.#socket
      .on("error", (error) => this.destroy(error))
      .on("timeout", () => {
        if (!this.#isStalled) this.destroy(new Error("the source says nothing"));
      })
      .on("end", () => (this.#isDetached ? this.destroy() : this.push(null)))
      .on("close", () => this.destroy());
  }

  /** Called while the head is told: what follows it is kept for `flow`. False where some of it was told as well. */
  detach(): boolean {
    this.#isDetached = this.#mayDetach;
    return this.#isDetached;
  }

  /** Gives the body away in pieces. Resolves at its end, which may be early; memory of pieces is read into again. */
  flow(bytes: number, take: Take): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error | null) => {
        this.#flow = undefined;
        if (error) reject(error);
        else resolve();
        this.destroy();
      };
      this.#flow = { take, bytesLeft: bytes, end };
      if (this.#early) this.#give(...this.#early);
      if (this.destroyed || bytes === 0) this.#flow?.end(this.#error);
      else this.#goOn();
    });
  }

  get #slab(): Slab {
    return (this.#slabs[this.#turn] ??= { memory: Buffer.allocUnsafeSlow(slabBytes), holders: 0 });
  }

  get #isStalled(): boolean {
    if (this.#isDetached && !this.#flow) return true;
    return this.#filled === 0 && this.#slab.holders > 0;
  }

  #goOn() {
    if (!this.#isStalled && !this.destroyed) this.#socket.resume();
  }

  #read(bytes: number): boolean {
    const slab = this.#slab;
    const piece = slab.memory.subarray(this.#filled, this.#filled + bytes);
    const isWanted = this.#pass(piece, slab);
    this.#filled += bytes;
    if (slabBytes - this.#filled < restBytesMin) {
      this.#turn = (this.#turn + 1) % slabCount;
      this.#filled = 0;
    }
    return isWanted && !this.#isStalled;
  }

  #pass(piece: Buffer, slab: Slab): boolean {
    if (this.#flow) {
      this.#give(piece, slab);
      return true;
    }
    if (!this.#isFirst) return this.push(Buffer.from(piece));
    this.#isFirst = false;
    const at = piece.indexOf(headEnd);
    const headBytes = at < 0 ? piece.length : at + headEnd.length;
    this.#mayDetach = at >= 0;
    const isWanted = this.push(Buffer.from(piece.subarray(0, headBytes)));
    this.#mayDetach = false;
    const rest = piece.subarray(headBytes);
    if (this.#isDetached) this.#early = [rest, slab];
    else if (rest.length > 0) return this.push(Buffer.from(rest));
    return isWanted;
  }

  #give(piece: Buffer, slab: Slab) {
    const flow = this.#flow!;
    const wanted = piece.subarray(0, flow.bytesLeft);
    flow.bytesLeft -= wanted.length;
    slab.holders++;
    flow.take(wanted, () => {
      slab.holders--;
      this.#goOn();
    });
    if (flow.bytesLeft === 0) flow.end();
  }

  override _read() {
    this.#goOn();
  }

  override _write(chunk: Buffer, _: string, done: (error?: Error | null) => void) {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void) {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void) {
    this.#error = error ?? undefined;
    this.#socket.destroy();
    this.#flow?.end(error);
    done(error);
  }
}
