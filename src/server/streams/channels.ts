// The channel protocols of exec and attach over a WebSocket: the first byte of each message says which
// stream it belongs to. v5 adds a message that closes a stream, so that stdin can end; `base64` variants
// carry text, the channel as a digit.
import type { Streams } from "../../lib/node-connection.ts";
import { Mailbox } from "../../lib/mailbox.ts";
import { errorText } from "./command-status.ts";
import type { CommandStreams, CommandTransport } from "./command-streams.ts";
import type { AcceptedWebSocket } from "./websocket.ts";
import { terminalSizes } from "./terminal-sizes.ts";

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export const channelProtocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
];

/** Messages that wait for the command to read its input, before the client is made to wait. */
const inputMessagesMax = 16;

const bytesOf = (data: unknown): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);

/** Splits a message into its channel and its content; undefined for an empty one. */
function split(data: Buffer, base64: boolean): [number, Buffer] | undefined {
  if (data.length === 0) return undefined;
  if (!base64) return [data[0]!, data.subarray(1)];
  return [data[0]! - 0x30, Buffer.from(data.subarray(1).toString(), "base64")];
}

export function channelTransport(
  { socket, protocol }: AcceptedWebSocket,
  asked: CommandStreams,
  signal: AbortSignal,
): CommandTransport {
  const base64 = protocol.includes("base64");
  const stdin = new Mailbox<Uint8Array>(inputMessagesMax);
  const resize = new Mailbox<Uint8Array>(inputMessagesMax);
  const gone = new AbortController();

  const send = (to: number, chunk: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const message = base64
        ? to + Buffer.from(chunk).toString("base64")
        : Buffer.concat([Buffer.from([to]), chunk]);
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    });

  const receive = (data: Buffer) => {
    const [from, content] = split(data, base64) ?? [];
    if (content === undefined) return;
    if (from === channel.close && content[0] === channel.stdin) stdin.end();
    else if (from === channel.resize && asked.tty) resize.put(content);
    else if (from === channel.stdin && asked.stdin && content.length > 0) stdin.put(content);
    const room = stdin.room() ?? resize.room();
    if (!room) return;
    socket.pause();
    void room.then(() => socket.resume());
  };

  const end = () => {
    stdin.end();
    resize.end();
    gone.abort(new Error("the client went away"));
  };
  socket.on("message", (data) => receive(bytesOf(data)));
  socket.on("close", end);
  socket.on("error", end);
  socket.resume();
  signal.addEventListener("abort", () => socket.terminate(), { once: true });

  const streams: Streams = {
    stdin: asked.stdin ? stdin : undefined,
    stdout: (chunk) => send(channel.stdout, chunk),
    stderr: (chunk) => send(channel.stderr, chunk),
    resize: asked.tty ? terminalSizes(resize) : undefined,
    signal: gone.signal,
  };
  return {
    streams,
    async finish(status) {
      if (gone.signal.aborted) return;
      const text = errorText(status, protocol);
      if (text !== "") await send(channel.error, Buffer.from(text)).catch(() => {});
      socket.close(1000);
    },
  };
}
