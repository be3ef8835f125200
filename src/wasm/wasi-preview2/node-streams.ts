// Node's streams as a guest has them. They wait in Node's own buffers, whose limits hold both sides back.
import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Cancel } from "../../lib/clock.ts";
import type { PollableState } from "./poll.ts";
import { IoError, closed } from "./streams.ts";
import type { Sink, Source } from "./streams.ts";
import { refuse } from "./refuse.ts";

export function listenTo(emitter: EventEmitter, names: string[], wake: () => void): Cancel {
  for (const name of names) emitter.on(name, wake);
  return () => {
    for (const name of names) emitter.off(name, wake);
  };
}

export function readableSource(readable: Readable): Source {
  readable.on("error", () => {});
  const isReady = () =>
    readable.readableLength > 0 || readable.readableEnded || readable.errored !== null;
  // A read of nothing makes it look for more, and for its end.
  const look = () => isReady() || (readable.read(0), isReady());
  return {
    readiness: {
      isReady: () => look() || readable.destroyed,
      listen: (wake) => listenTo(readable, ["readable", "end", "error", "close"], wake),
    },
    read(length) {
      if (readable.errored) throw new IoError(readable.errored.message, "EPIPE");
      if (length === 0) return new Uint8Array();
      const found = readable.read(Math.min(length, readable.readableLength)) as Buffer | null;
      if (found) return found;
      return readable.readableEnded || readable.destroyed ? undefined : new Uint8Array();
    },
  };
}

const roomBytesMax = 65_536;

const isOpen = (writable: Writable) =>
  !writable.destroyed && !writable.writableEnded && writable.errored === null;

/** Once there is room, or nobody who would need it. */
export function roomIn(writable: Writable): PollableState {
  return {
    isReady: () => !isOpen(writable) || !writable.writableNeedDrain,
    listen: (wake) => listenTo(writable, ["drain", "error", "close"], wake),
  };
}

export function roomBytes(writable: Writable): number {
  if (!isOpen(writable)) refuse(closed);
  return writable.writableNeedDrain ? 0 : roomBytesMax;
}

export function writableSink(writable: Writable): Sink {
  writable.on("error", () => {});
  return {
    room: () => roomBytes(writable),
    readiness: roomIn(writable),
    drained: {
      isReady: () => !isOpen(writable) || writable.writableLength === 0,
      listen: (wake) => listenTo(writable, ["drain", "error", "close"], wake),
    },
    write(bytes) {
      if (!isOpen(writable)) refuse(closed);
      writable.write(bytes);
    },
  };
}
