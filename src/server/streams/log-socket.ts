// A log over a WebSocket: every chunk a message, in bytes or in base64. The first message is empty, which
// tells the client that the log was found.
import type { UpgradeHandler } from "../policy.ts";
import { podLog } from "./logs.ts";
import { acceptWebSocket, sendAll } from "./websocket.ts";

const protocols = ["binary.k8s.io", "base64.binary.k8s.io"];

async function* messages(chunks: AsyncIterable<Uint8Array>, base64: boolean) {
  yield base64 ? "" : Buffer.alloc(0);
  for await (const chunk of chunks) {
    yield base64 ? Buffer.from(chunk).toString("base64") : Buffer.from(chunk);
  }
}

async function* none(): AsyncGenerator<Uint8Array> {}

export const podLogSocket: UpgradeHandler = async (context, upgrade) => {
  const { stream = none() } = await podLog(context);
  const { socket, protocol } = await acceptWebSocket(upgrade, protocols);
  await sendAll(socket, messages(stream, protocol.startsWith("base64")));
};
