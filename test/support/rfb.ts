// A small client of a screen (RFB 3.8, RFC 6143) over the subresource `vnc`, as noVNC is one: it shakes hands and asks
// for the whole picture once, in raw pixels.
import type { WebSocket } from "ws";

export interface Picture {
  name: string;
  width: number;
  height: number;
  /** Four bytes each. */
  pixels: Buffer;
}

/** What arrived, to be taken in pieces. */
class Incoming {
  #bytes = Buffer.alloc(0);
  #waiting: (() => void) | undefined;

  constructor(socket: WebSocket) {
    socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) throw new Error("a screen came as text");
      this.#bytes = Buffer.concat([this.#bytes, data]);
      this.#waiting?.();
    });
  }

  async take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}

const none = 1;
const rawEncoding = 0;

export async function screenOf(socket: WebSocket): Promise<Picture> {
  const incoming = new Incoming(socket);
  const version = await incoming.take(12);
  if (version.toString() !== "RFB 003.008\n") throw new Error(`not RFB: ${version}`);
  socket.send(version);
  const [types = 0] = await incoming.take(1);
  if (![...(await incoming.take(types))].includes(none)) throw new Error("the screen is locked");
  socket.send(Buffer.from([none]));
  if ((await incoming.take(4)).readUInt32BE() !== 0) throw new Error("the screen refused");
  socket.send(Buffer.from([1]));
  const head = await incoming.take(24);
  const [width, height] = [head.readUInt16BE(0), head.readUInt16BE(2)];
  const name = (await incoming.take(head.readUInt32BE(20))).toString();
  socket.send(Buffer.from([2, 0, 0, 1, 0, 0, 0, rawEncoding]));
  const wanted = Buffer.alloc(10);
  wanted[0] = 3;
  wanted.writeUInt16BE(width, 6);
  wanted.writeUInt16BE(height, 8);
  socket.send(wanted);
  const pixels = Buffer.alloc(width * height * 4);
  const rectangles = (await incoming.take(4)).readUInt16BE(2);
  for (let n = 0; n < rectangles; n++) {
    const place = await incoming.take(12);
    const [x, y, w, h] = [0, 2, 4, 6].map((at) => place.readUInt16BE(at)) as [
      number,
      number,
      number,
      number,
    ];
    for (let row = 0; row < h; row++) {
      (await incoming.take(w * 4)).copy(pixels, ((y + row) * width + x) * 4);
    }
  }
  return { name, width, height, pixels };
}
