// The node's end of its tunnel: what the server asks for is answered by the agent, as if it ran in the
// server's own process.
import { performServerHandshake } from "node:http2";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Mailbox } from "../lib/mailbox.ts";
import type { NodeConnection, Streams } from "../lib/node-connection.ts";
import { StatusError } from "../lib/status-error.ts";
import { frameTypes, readArguments, readFrames, writeFrame } from "../lib/tunnel/frames.ts";
import type { TunnelCall } from "../lib/tunnel/protocol.ts";

const asStatus = (error: unknown) =>
  error instanceof StatusError
    ? error
    : new StatusError("InternalError", error instanceof Error ? error.message : String(error));

function refuse(stream: ServerHttp2Stream, error: unknown) {
  if (stream.destroyed || stream.headersSent) return stream.destroy();
  const status = asStatus(error);
  stream.respond({ ":status": status.code });
  stream.end(JSON.stringify(status.toStatus()));
}

const accept = (stream: ServerHttp2Stream) => stream.respond({ ":status": 200 });

/** Aborts when the server is no longer interested. */
function interestOf(stream: ServerHttp2Stream): AbortSignal {
  const controller = new AbortController();
  stream.once("close", () => controller.abort(new Error("the caller went away")));
  return controller.signal;
}

type Answer = (stream: ServerHttp2Stream, args: any, node: NodeConnection) => Promise<void>;

async function join(stream: ServerHttp2Stream, other: Duplex) {
  accept(stream);
  other.on("error", () => stream.destroy());
  stream.once("close", () => other.destroy());
  await Promise.all([pipeline(stream, other), pipeline(other, stream)]).catch(() => {});
}

const answers: Record<TunnelCall, Answer> = {
  async logs(stream, { pod, container, options }, node) {
    const chunks = await node.logs(pod, container, options, interestOf(stream));
    accept(stream);
    await pipeline(chunks, stream);
  },
  exec: (stream, { pod, container, options, stdin }, node) =>
    command(stream, stdin, (streams) => node.exec(pod, container, options, streams)),
  attach: (stream, { pod, container, options, stdin }, node) =>
    command(stream, stdin, async (streams) => {
      await node.attach(pod, container, options, streams);
      return 0;
    }),
  "port-forward": async (stream, { pod, port }, node) =>
    join(stream, await node.portForward(pod, port)),
  dial: async (stream, { host, port }, node) => join(stream, await node.dial(host, port)),
  async usage(stream, _args, node) {
    const usage = await node.usage();
    accept(stream);
    stream.end(JSON.stringify(usage));
  },
  async ask(stream, { part, question }, node) {
    const answer = await node.ask(part, question);
    accept(stream);
    stream.end(JSON.stringify(answer ?? null));
  },
  open: async (stream, { part, question }, node) => join(stream, await node.open(part, question)),
};

/** Runs a command between frames. What it refuses before its first output is told as an end, too. */
async function command(
  stream: ServerHttp2Stream,
  hasInput: boolean,
  run: (streams: Streams) => Promise<number>,
) {
  accept(stream);
  const input = new Mailbox<Uint8Array>();
  const sizes = new Mailbox<{ width: number; height: number }>();
  const receiving = receive(stream, { input, sizes });
  receiving.catch(() => {});
  const say = (end: object) => writeFrame(stream, frameTypes.end, Buffer.from(JSON.stringify(end)));
  try {
    const code = await run({
      stdin: hasInput ? input : undefined,
      resize: sizes,
      stdout: (chunk) => writeFrame(stream, frameTypes.stdout, chunk),
      stderr: (chunk) => writeFrame(stream, frameTypes.stderr, chunk),
      signal: interestOf(stream),
    });
    await say({ code });
  } catch (error) {
    await say({ status: asStatus(error).toStatus() }).catch(() => {});
  }
  stream.end();
}

interface Received {
  input: Mailbox<Uint8Array>;
  sizes: Mailbox<{ width: number; height: number }>;
}

async function receive(stream: Duplex, { input, sizes }: Received) {
  try {
    for await (const { type, body } of readFrames(stream)) {
      if (type === frameTypes.stdin) input.put(Buffer.from(body));
      else if (type === frameTypes.stdinEnd) input.end();
      else if (type === frameTypes.resize) sizes.put(JSON.parse(body.toString()));
      await input.room();
    }
  } finally {
    input.end();
    sizes.end();
  }
}

/** Answers on `socket` until it ends. */
export function serveTunnel(socket: Duplex, node: NodeConnection): ServerHttp2Session {
  const session = performServerHandshake(socket);
  session.on("error", () => session.destroy());
  session.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const answer = answers[String(headers[":path"]).slice(1) as TunnelCall];
    const run = async () => {
      if (!answer) throw new StatusError("NotFound", "the node knows no such call");
      await answer(stream, await readArguments(stream), node);
    };
    run().catch((error: unknown) => refuse(stream, error));
  });
  return session;
}
