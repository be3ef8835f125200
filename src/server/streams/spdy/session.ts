// The server's end of a SPDY/3.1 session: streams that the client opens, as Duplexes. Kubernetes'
// clients keep no flow-control windows (moby/spdystream ignores them), so a stream whose reader is slow
// holds up the session it is in, as upstream.
import { Duplex } from "node:stream";
import {
  controlFrame,
  dataFrame,
  finFlag,
  type Frame,
  frameType,
  readFrames,
} from "../../../lib/spdy/frames.ts";
import { HeaderReader, HeaderWriter, type Headers } from "../../../lib/spdy/header-block.ts";

/** Open streams of one session. */
const streamsMax = 1000;

/** Bytes a stream may hold unread before its session waits. */
const streamBufferBytes = 256 * 1024;

const reset = { protocolError: 1, refused: 3, cancel: 5 } as const;

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #session: SpdySession;
  #wake: (() => void) | undefined;
  #finished = false;

  constructor(session: SpdySession, id: number, headers: Headers) {
    super({ readableHighWaterMark: streamBufferBytes });
    this.id = id;
    this.headers = headers;
    this.#session = session;
  }

  /** Takes a frame's content; a promise when the reader must catch up first. */
  receive(payload: Buffer, fin: boolean): Promise<void> | undefined {
    if (this.destroyed || this.readableEnded) return undefined;
    const room = payload.length === 0 || this.push(payload);
    if (fin) this.push(null);
    if (room || fin) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  override _read() {
    this.#wake?.();
    this.#wake = undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void) {
    this.#session.send(dataFrame(this.id, chunk), done);
  }

  override _final(done: (error?: Error | null) => void) {
    this.#finished = true;
    this.#session.send(dataFrame(this.id, Buffer.alloc(0), finFlag), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void) {
    this.#wake?.();
    if (!this.#finished) this.#session.reset(this.id, reset.cancel);
    this.#session.forget(this.id);
    done(error);
  }
}

export class SpdySession {
  readonly #transport: Duplex;
  readonly #accept: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();

  /** `accept` gets every stream that the client opens. */
  constructor(transport: Duplex, accept: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#accept = accept;
  }

  /** Serves until the transport ends or breaks. Never throws. */
  async run(): Promise<void> {
    try {
      for await (const frame of readFrames(this.#transport)) {
        const wait = this.#take(frame);
        if (wait) await wait;
      }
    } catch {
      // What broke the session broke every stream in it; they are told below.
    } finally {
      this.close();
    }
  }

  close() {
    const gone = new Error("the client went away");
    for (const stream of this.#streams.values()) {
      stream.on("error", () => {});
      stream.destroy(gone);
    }
    this.#transport.destroy();
  }

  /** Ends the session once everything written so far is sent. */
  end() {
    this.#transport.end();
  }

  send(frame: Buffer, done: (error?: Error | null) => void = () => {}) {
    if (this.#transport.destroyed) done(new Error("the client went away"));
    else this.#transport.write(frame, done);
  }

  reset(id: number, status: number) {
    this.send(controlFrame(frameType.rstStream, id, status));
  }

  forget(id: number) {
    this.#streams.delete(id);
  }

  #take({ type, stream, flags, payload }: Frame): Promise<void> | undefined {
    const fin = (flags & finFlag) !== 0;
    if (type === undefined) {
      const found = this.#streams.get(stream);
      if (!found) return undefined;
      return found.receive(payload, fin);
    }
    if (type === frameType.synStream) this.#open(payload, fin);
    else if (type === frameType.ping) this.#pong(payload);
    else if (type === frameType.headers) this.#reader.read(payload.subarray(4));
    else if (type === frameType.rstStream) {
      const found = this.#streams.get(payload.readUInt32BE(0));
      found?.on("error", () => {});
      found?.destroy(new Error("the client reset the stream"));
    }
    return undefined;
  }

  #open(payload: Buffer, fin: boolean) {
    const id = payload.readUInt32BE(0) & 0x7fff_ffff;
    // Read even when the stream is refused: the blocks are one compressed stream.
    const headers = this.#reader.read(payload.subarray(10));
    if (this.#streams.size >= streamsMax) return this.reset(id, reset.refused);
    if (this.#streams.has(id)) return this.reset(id, reset.protocolError);
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    this.send(controlFrame(frameType.synReply, id, this.#writer.write({})));
    if (fin) void stream.receive(Buffer.alloc(0), true);
    this.#accept(stream);
  }

  /** Odd ids are the client's; even ones would be answers to pings of ours. */
  #pong(payload: Buffer) {
    const id = payload.readUInt32BE(0);
    if (id % 2 === 1) this.send(controlFrame(frameType.ping, id));
  }
}
