// What another server says, to its end: a longer answer than anybody needs is an error, however it comes.
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

export function limitedText(stream: Readable, bytesMax: number): Promise<string> {
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) stream.destroy(new Error(`the answer is longer than ${bytesMax} bytes`));
  });
  return text(stream);
}
