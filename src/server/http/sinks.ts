// Where an answer is written: an HTTP/2 stream or an HTTP/1.1 response, behind one face.
import type { ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";

export interface Sink {
  head(code: number, headers: Record<string, string | string[]>): void;
  /** Undefined when more may be written at once; else a promise of it. `written`: the chunk is needed no more. */
  write(chunk: Uint8Array, written?: () => void): Promise<void> | undefined;
  end(chunk?: Uint8Array): void;
  /** Once the answer is out, what still comes of the request is of no use. */
  discardRest(): void;
  destroy(): void;
  onClose(listener: () => void): void;
  readonly closed: boolean;
}

/** Resolves when the stream drains or closes, whichever is first. */
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}

const body = (stream: Writable) => ({
  write: (chunk: Uint8Array, written?: () => void) =>
    stream.write(chunk, (error) => void (error || written?.())) ? undefined : drained(stream),
  end: (chunk?: Uint8Array) => void (chunk ? stream.end(chunk) : stream.end()),
  destroy: () => void stream.destroy(),
  onClose: (listener: () => void) => void stream.on("close", listener),
});

export function http2Sink(stream: ServerHttp2Stream): Sink {
  // A stream that its caller resets fails with an error; its close says all there is to say.
  stream.on("error", () => {});
  return {
    ...body(stream),
    head: (code, headers) => stream.respond({ ":status": code, ...headers }),
    discardRest: () =>
      void stream.on("finish", () => {
        if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
      }),
    get closed() {
      return stream.destroyed || stream.closed;
    },
  };
}

export function http1Sink(response: ServerResponse): Sink {
  response.on("error", () => {});
  return {
    ...body(response),
    head: (code, headers) => {
      response.writeHead(code, headers);
      response.flushHeaders();
    },
    // Closing would reset a caller that still sends, before it has read the answer: the rest is read and
    // thrown away, for as long as a request may take.
    discardRest: () => {},
    get closed() {
      return response.destroyed;
    },
  };
}
