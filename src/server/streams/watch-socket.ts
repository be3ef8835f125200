// A watch over a WebSocket: one message for each event, text for JSON and binary for protobuf.
import type { ApiResponse } from "../request.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import { acceptWebSocket, sendAll } from "./websocket.ts";

const newline = 10;

/** Cuts chunks of JSON lines into lines. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf(newline, at);
      const next = end < 0 ? bytes.length : end + 1;
      yield bytes.toString("utf8", at, next);
      at = next;
    }
  }
}

/** Cuts chunks of frames into their contents. */
async function* frames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let at = 0; at < bytes.length;) {
      const next = at + 4 + bytes.readUInt32BE(at);
      yield bytes.subarray(at + 4, next);
      at = next;
    }
  }
}

/** Sends the events of a watch until it ends or the client leaves. */
export async function serveWatch({ stream, headers }: ApiResponse, upgrade: UpgradeSocket) {
  const binary = String(headers!["content-type"]).includes("protobuf");
  const { socket } = await acceptWebSocket(upgrade);
  await sendAll(socket, binary ? frames(stream!) : lines(stream!));
}
