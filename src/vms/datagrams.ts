// Datagrams over a byte stream: each with its length before it, so that none is joined with the next on its way.
import { Duplex } from "node:stream";

const headBytes = 2;
export const datagramBytesMax = 65_507;

export function framed(datagram: Uint8Array): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(datagram.length);
  return Buffer.concat([head, datagram]);
}

/** Takes bytes as they come; gives whole datagrams. */
export class Unframed {
  #rest: Buffer = Buffer.alloc(0);

  take(chunk: Buffer): Buffer[] {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const whole: Buffer[] = [];
    let at = 0;
    while (all.length - at >= headBytes) {
      const end = at + headBytes + all.readUInt16BE(at);
      if (end > all.length) break;
      whole.push(all.subarray(at + headBytes, end));
      at = end;
    }
    this.#rest = all.subarray(at);
    return whole;
  }
}

/** One chunk is one datagram, both ways; `bytes` is the framed stream below. One that is too long is lost. */
export function datagramsOver(bytes: Duplex): Duplex {
  const unframed = new Unframed();
  const whole = new Duplex({
    objectMode: true,
    read: () => void bytes.resume(),
    write(datagram: Buffer, _, done) {
      if (datagram.length > datagramBytesMax) return done();
      bytes.write(framed(datagram), (error) => done(error));
    },
    final: (done) => void bytes.end(done),
    destroy(error, done) {
      bytes.destroy();
      done(error);
    },
  });
  bytes.on("data", (chunk: Buffer) => {
    for (const datagram of unframed.take(chunk)) if (!whole.push(datagram)) bytes.pause();
  });
  bytes.on("error", () => whole.destroy());
  bytes.once("close", () => whole.destroy());
  return whole;
}
