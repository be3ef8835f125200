// A node behind its tunnel, as the server sees every node.
import { constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { NodeConnection, Streams } from "../../lib/node-connection.ts";
import { StatusError } from "../../lib/status-error.ts";
import { argumentsFrame, frameTypes, readFrames, writeFrame } from "../../lib/tunnel/frames.ts";
import type { TunnelCall } from "../../lib/tunnel/protocol.ts";

/** A Status or the sum of a small answer. */
const answerBytesMax = 4 * 2 ** 20;

const { NGHTTP2_CANCEL } = constants;

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerBytesMax) throw new Error("the node answers too much");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const statusOf = (text: string) => {
  try {
    return StatusError.from(JSON.parse(text));
  } catch {
    return new StatusError("InternalError", "the node gave no reason");
  }
};

const cutOff = (cause?: unknown) =>
  new StatusError("ServiceUnavailable", "the connection to the node broke", { cause });

/** The code of the answer's head. */
function answered(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once("response", (headers) => resolve(Number(headers[":status"])));
    stream.once("error", (cause) => reject(cutOff(cause)));
    stream.once("close", () => reject(cutOff()));
  });
}

async function* events<T>(values: AsyncIterable<T> | undefined): AsyncGenerator<T> {
  if (values) yield* values;
}

export class RemoteNode implements NodeConnection {
  readonly #session: ClientHttp2Session;

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  logs: NodeConnection["logs"] = async (pod, container, options, signal) =>
    this.#open("logs", { pod, container, options }, signal);

  exec: NodeConnection["exec"] = (pod, container, options, streams) =>
    this.#command("exec", { pod, container, options, stdin: hasInput(streams) }, streams);

  attach: NodeConnection["attach"] = async (pod, container, options, streams) => {
    await this.#command("attach", { pod, container, options, stdin: hasInput(streams) }, streams);
  };

  portForward: NodeConnection["portForward"] = (pod, port) =>
    this.#open("port-forward", { pod, port });

  dial: NodeConnection["dial"] = (host, port) => this.#open("dial", { host, port });

  usage: NodeConnection["usage"] = async () =>
    JSON.parse(await textOf(await this.#open("usage", {})));

  ask: NodeConnection["ask"] = async (part, question) =>
    JSON.parse(await textOf(await this.#open("ask", { part, question })));

  open: NodeConnection["open"] = (part, question) => this.#open("open", { part, question });

  /** Resolves with the stream once the node has said yes; throws its StatusError. */
  async #open(call: TunnelCall, args: object, signal?: AbortSignal): Promise<ClientHttp2Stream> {
    if (this.#session.destroyed || this.#session.closed) throw cutOff();
    const body = argumentsFrame(args);
    const stream = this.#session.request({ ":method": "POST", ":path": `/${call}` });
    stream.on("error", () => {});
    stream.write(body);
    const abort = () => stream.close(NGHTTP2_CANCEL);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", abort));
    const code = await answered(stream);
    if (code === 200) return stream;
    throw statusOf(await textOf(stream));
  }

  /** Both directions until the command has ended; resolves with its exit code. */
  async #command(call: "exec" | "attach", args: object, streams: Streams): Promise<number> {
    const stream = await this.#open(call, args, streams.signal);
    const sending = Promise.all([sendInput(stream, streams), sendSizes(stream, streams)]);
    sending.catch(() => {});
    try {
      return await output(stream, streams);
    } finally {
      if (!stream.closed) stream.close(NGHTTP2_CANCEL);
    }
  }
}

const hasInput = ({ stdin }: Streams) => stdin !== undefined;

async function sendInput(stream: Duplex, { stdin }: Streams) {
  for await (const chunk of events(stdin)) await writeFrame(stream, frameTypes.stdin, chunk);
  await writeFrame(stream, frameTypes.stdinEnd, Buffer.alloc(0));
}

async function sendSizes(stream: Duplex, { resize }: Streams) {
  for await (const size of events(resize)) {
    await writeFrame(stream, frameTypes.resize, Buffer.from(JSON.stringify(size)));
  }
}

/** A stream that breaks is a node that is gone. */
async function* unbroken<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* values;
  } catch (error) {
    throw cutOff(error);
  }
}

async function output(stream: Duplex, streams: Streams): Promise<number> {
  for await (const { type, body } of unbroken(readFrames(stream))) {
    if (type === frameTypes.stdout) await streams.stdout(body);
    else if (type === frameTypes.stderr) await streams.stderr(body);
    else if (type === frameTypes.end) {
      const { code, status } = JSON.parse(body.toString());
      if (status) throw StatusError.from(status);
      return code;
    }
  }
  throw cutOff();
}
