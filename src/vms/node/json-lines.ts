// JSON values, one a line, on a byte stream: QMP and the guest agent's protocol. What the other end says is not
// trusted: a line has a limit.
import type { Duplex } from "node:stream";

const lineBytesMax = 16 * 2 ** 20;

/** Calls `hear` for every value; destroys the stream when a line is too long. Lines that are no JSON are left out. */
export function hearLines(stream: Duplex, hear: (value: any) => void) {
  let rest: Buffer[] = [];
  let size = 0;
  const line = (bytes: Buffer) => {
    // The guest agent marks the begin of an answer by a byte that no text has.
    const text = bytes.subarray(bytes.lastIndexOf(0xff) + 1).toString("utf8");
    try {
      if (text.trim()) hear(JSON.parse(text));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  };
  stream.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      line(Buffer.concat([...rest, chunk.subarray(from, at)]));
      rest = [];
      size = 0;
      from = at + 1;
    }
    rest.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > lineBytesMax) stream.destroy(new Error("a line is too long"));
  });
}
