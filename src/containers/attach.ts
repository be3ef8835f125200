// Attach: a view of a running container's own streams. containerd keeps their ends to itself and hands
// them on only through its streaming server on the loopback, which speaks SPDY/3.1; this is its client.
import { request } from "node:http";
import type { Duplex } from "node:stream";
import type { Streams } from "../lib/node-connection.ts";
import { controlFrame, dataFrame, finFlag, frameType, readFrames } from "../lib/spdy/frames.ts";
import type { Frame } from "../lib/spdy/frames.ts";
import { HeaderWriter } from "../lib/spdy/header-block.ts";
import type { GrpcService } from "../lib/grpc.ts";

type Take = (chunk: Uint8Array) => Promise<void> | void;

/** The protocol in which the error stream carries a Status. */
const protocol = "v4.channel.k8s.io";

function upgrade(url: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "SPDY/3.1",
      "x-stream-protocol-version": protocol,
    };
    const asked = request(url, { method: "POST", headers });
    asked.on("error", reject);
    asked.on("response", (response) => {
      response.resume();
      reject(new Error(`containerd refused to attach (HTTP ${response.statusCode})`));
    });
    asked.on("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.end();
  });
}

class AttachSession {
  readonly #socket: Duplex;
  readonly #headers = new HeaderWriter();
  readonly #takes = new Map<number, Take>();
  #lastId = -1;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("error", () => {});
  }

  /** Opens a stream of ours; `take` gets what comes back on it. */
  open(streamtype: string, take: Take = () => {}): number {
    const id = (this.#lastId += 2);
    this.#takes.set(id, take);
    const noPriority = Buffer.alloc(2);
    const headers = this.#headers.write({ streamtype });
    this.#socket.write(controlFrame(frameType.synStream, id, 0, noPriority, headers));
    return id;
  }

  /** Resolves when there is room for more. */
  write(id: number, chunk: Uint8Array, flags = 0): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.write(dataFrame(id, chunk, flags), () => resolve());
    });
  }

  /** Resolves when containerd ends the session. */
  async run(): Promise<void> {
    for await (const frame of readFrames(this.#socket)) {
      if (frame.type === frameType.goAway) return;
      await this.#receive(frame);
    }
  }

  async #receive({ type, stream, payload }: Frame): Promise<void> {
    if (type === undefined && payload.length > 0) await this.#takes.get(stream)?.(payload);
    else if (type === frameType.ping && payload.readUInt32BE(0) % 2 === 0) {
      this.#socket.write(controlFrame(frameType.ping, payload.readUInt32BE(0)));
    }
  }

  close() {
    this.#socket.destroy();
  }
}

async function feed(session: AttachSession, id: number, input: AsyncIterable<Uint8Array>) {
  for await (const chunk of input) await session.write(id, chunk);
  await session.write(id, Buffer.alloc(0), finFlag);
}

async function followSize(session: AttachSession, id: number, sizes: Streams["resize"]) {
  for await (const { width, height } of sizes ?? []) {
    await session.write(id, Buffer.from(`${JSON.stringify({ Width: width, Height: height })}\n`));
  }
}

/** What the error stream said: undefined for a good end. */
function failureIn(chunks: Uint8Array[]): string | undefined {
  if (chunks.length === 0) return undefined;
  const text = Buffer.concat(chunks).toString();
  const status = JSON.parse(text) as { status?: string; message?: string };
  return status.status === "Success" ? undefined : (status.message ?? text);
}

/** Resolves when the container ends or the caller goes away. */
export async function attachToContainer(
  runtime: GrpcService,
  id: string,
  tty: boolean,
  streams: Streams,
): Promise<void> {
  const { url } = await runtime.call("Attach", {
    container_id: id,
    stdin: streams.stdin !== undefined,
    stdout: true,
    stderr: !tty,
    tty,
  });
  const session = new AttachSession(await upgrade(url));
  const leave = () => session.close();
  streams.signal.addEventListener("abort", leave, { once: true });
  if (streams.signal.aborted) leave();
  const said: Uint8Array[] = [];
  session.open("error", (chunk) => void said.push(chunk));
  const input = streams.stdin && session.open("stdin");
  session.open("stdout", streams.stdout);
  if (!tty) session.open("stderr", streams.stderr);
  const sizes = tty ? session.open("resize") : undefined;
  if (input !== undefined) void feed(session, input, streams.stdin!).catch(leave);
  if (sizes !== undefined) void followSize(session, sizes, streams.resize).catch(() => {});
  try {
    await session.run();
  } catch (error) {
    if (!streams.signal.aborted) throw error;
  } finally {
    streams.signal.removeEventListener("abort", leave);
    leave();
  }
  const failure = failureIn(said);
  if (failure) throw new Error(failure);
}
