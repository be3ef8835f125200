// A connection whose reads are large and use the same memory again and again. Node's parser of HTTP copies each body
// into new memory, which costs more than to write it; so the parser gets the head, and a body of known length goes past
// it. Pieces are as large as the memory, and lie in its pages as they will in those of their file, so that they can go
// to the disk from where they are. Whoever takes a piece holds its memory until it is written; while all is held,
// nothing is read, so a slow disk slows the source down.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { useLargePages } from "./large-pages.ts";
import { writesAtOnceMax } from "./writes-in-flight.ts";

const pageBytes = 4096;
const slabBytes = 4 * 2 ** 20;
/** One is read into while the others are written. */
const slabCount = 1 + writesAtOnceMax;
const wasmPageBytes = 2 ** 16;
/** Of a read that may be of the head. */
const headBytesMax = 2 ** 16;
const headEnd = "\r\n\r\n";

/** Of node:net or node:tls. */
export type Connect = (options: any) => Socket;

export interface LargeReadsOptions {
  connect: Connect;
  /** Of silence while something is waited for. */
  idleMsMax: number;
}

export type Take = (piece: Buffer, letGo: () => void) => void;

interface Slab {
  memory: Buffer;
  isHeld: boolean;
}

export interface FlowOptions {
  /** Of the body. */
  bytes: number;
  /** Where in its file it begins. */
  at: number;
  take: Take;
}

interface Flow {
  take: Take;
  bytesLeft: number;
  end: (error?: Error | null) => void;
}

/** As the types of Node do not say. */
type Memory = new (size: { initial: number }) => { buffer: ArrayBuffer };
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: Memory } }).WebAssembly;

/** The memory of WebAssembly begins with a page; of other memory that is not known. */
function newSlabs(): Slab[] {
  const { buffer } = new Memory({ initial: (slabCount * slabBytes) / wasmPageBytes });
  useLargePages(new Uint8Array(buffer));
  return Array.from({ length: slabCount }, (_, i) => ({
    memory: Buffer.from(buffer, i * slabBytes, slabBytes),
    isHeld: false,
  }));
}

export class LargeReads extends Duplex {
  readonly #socket: Socket;
  readonly #head: Buffer = Buffer.allocUnsafeSlow(headBytesMax);
  /** Where the next read goes. */
  #target: Buffer = this.#head;
  /** What came of the body before somebody took it. */
  #early: Buffer = this.#head.subarray(0, 0);
  #slabs: Slab[] | undefined;
  #turn = 0;
  /** What the slab holds of the body. */
  #start = 0;
  #end = 0;
  #isFirst = true;
  #mayDetach = false;
  #isDetached = false;
  #flow: Flow | undefined;
  #error: Error | undefined;

  constructor(target: object, { connect, idleMsMax }: LargeReadsOptions) {
    super();
    const onread = {
      buffer: () =>
        (this.#target = this.#flow ? this.#slab.memory.subarray(this.#end) : this.#head),
      callback: (bytes: number) => this.#read(bytes),
    };
    this.#socket = connect({ ...target, onread, timeout: idleMsMax })
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
  flow({ bytes, at, take }: FlowOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error | null) => {
        this.#flow = undefined;
        if (error) reject(error);
        else resolve();
        this.destroy();
      };
      this.#start = this.#end = at % pageBytes;
      this.#put(this.#early);
      this.#flow = { take, bytesLeft: bytes, end };
      if (this.destroyed) this.#endEarly(this.#error);
      else this.#giveIfFull();
      this.#goOn();
    });
  }

  get #slab(): Slab {
    this.#slabs ??= newSlabs();
    return this.#slabs[this.#turn]!;
  }

  get #isStalled(): boolean {
    return this.#isDetached && (!this.#flow || this.#slab.isHeld);
  }

  #goOn() {
    if (!this.#isStalled && !this.destroyed) this.#socket.resume();
  }

  #read(bytes: number): boolean {
    const isOfHead = this.#target === this.#head;
    const piece = this.#target.subarray(0, bytes);
    if (!this.#flow) return this.#tell(piece) && !this.#isStalled;
    if (isOfHead) this.#put(piece);
    else this.#end += bytes;
    this.#giveIfFull();
    return !this.#isStalled;
  }

  #put(piece: Buffer) {
    this.#end += piece.copy(this.#slab.memory, this.#end);
  }

  /** Of the head, and of a body that nobody detached. */
  #tell(piece: Buffer): boolean {
    if (!this.#isFirst) return this.push(Buffer.from(piece));
    this.#isFirst = false;
    const at = piece.indexOf(headEnd);
    const headBytes = at < 0 ? piece.length : at + headEnd.length;
    this.#mayDetach = at >= 0;
    const isWanted = this.push(Buffer.from(piece.subarray(0, headBytes)));
    this.#mayDetach = false;
    const rest = piece.subarray(headBytes);
    if (this.#isDetached) this.#early = rest;
    else if (rest.length > 0) return this.push(Buffer.from(rest));
    return isWanted;
  }

  #giveIfFull() {
    const isWhole = this.#end - this.#start >= this.#flow!.bytesLeft;
    if (isWhole || this.#end === slabBytes) this.#give(this.#flow!);
  }

  #give(flow: Flow) {
    const slab = this.#slab;
    const piece = slab.memory.subarray(this.#start, this.#end).subarray(0, flow.bytesLeft);
    flow.bytesLeft -= piece.length;
    this.#turn = (this.#turn + 1) % slabCount;
    [this.#start, this.#end] = [0, 0];
    if (piece.length > 0) {
      slab.isHeld = true;
      flow.take(piece, () => {
        slab.isHeld = false;
        this.#goOn();
      });
    }
    if (flow.bytesLeft === 0) flow.end();
  }

  /** What came is given away all the same. */
  #endEarly(error: Error | null | undefined) {
    const flow = this.#flow;
    if (!flow) return;
    this.#give(flow);
    if (this.#flow) flow.end(error);
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
    this.#endEarly(error);
    done(error);
  }
}
