// Unary and streaming gRPC calls over a unix socket or TCP, with messages described by plain data.
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { systemClock } from "./clock.ts";

export type Message = Record<string, any>;

/** Errors carry gRPC's code; `isGrpc` tests it. */
export const isGrpc = (error: unknown, ...codes: (keyof typeof status)[]) =>
  codes.some((code) => (error as Partial<ServiceError>)?.code === status[code]);

/** Users see the server's own words, without gRPC's code before them. */
const plain = (error: ServiceError) => Object.assign(error, { message: error.details });

export interface GrpcService {
  call(method: string, request: Message, options?: { timeoutMs?: number }): Promise<any>;
  /** Yields until the signal aborts or the server ends the stream. */
  stream(method: string, request: Message, signal: AbortSignal): AsyncIterable<any>;
  /** Both sides write; ends when the signal aborts or the server ends it. */
  duplex(method: string, signal: AbortSignal): ClientDuplexStream<Message, any>;
}

/** The parts of a TLS identity, in PEM. */
export interface GrpcTls {
  ca?: Buffer;
  key?: Buffer;
  cert?: Buffer;
}

export const conversion = {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: false,
} as const;

/** Services that are described by the same data share what is made from it. */
const roots = new WeakMap<object, protobuf.Root>();

function rootOf(types: protobuf.INamespace["nested"] = {}): protobuf.Root {
  const root = roots.get(types) ?? protobuf.Root.fromJSON({ nested: types });
  roots.set(types, root);
  return root;
}

const messageBytesMaxDefault = 16 * 2 ** 20;

/** A peer behind a cut link is found out within these. */
const keepalive = { "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 5000 };

/** One connection that several services share. */
export class GrpcConnection {
  readonly #client: Client;

  /** `target` is `unix:///path` or `host:port`; without `tls` it is plain text. */
  constructor(
    target: string,
    { tls, messageBytesMax }: { tls?: GrpcTls; messageBytesMax?: number } = {},
  ) {
    const trust = tls
      ? credentials.createSsl(tls.ca, tls.key, tls.cert)
      : credentials.createInsecure();
    this.#client = new Client(target, trust, {
      "grpc.max_receive_message_length": messageBytesMax ?? messageBytesMaxDefault,
      "grpc.max_reconnect_backoff_ms": 1000,
      ...(target.startsWith("unix:") ? { "grpc.default_authority": "localhost" } : keepalive),
    });
  }

  /** `types` are protobufjs' JSON; the names of a method's messages are METHODRequest and METHODResponse unless named. */
  service(
    path: string,
    types: protobuf.INamespace["nested"],
    names: Record<string, [request: string, response: string]> = {},
    metadata: Record<string, string> = {},
  ): GrpcService {
    const root = rootOf(types);
    const lookup = (method: string) => {
      const [request, response] = names[method] ?? [`${method}Request`, `${method}Response`];
      const input = root.lookupType(request);
      const output = root.lookupType(response);
      return {
        encode: (message: Message) => Buffer.from(input.encode(input.fromObject(message)).finish()),
        decode: (bytes: Buffer) => output.toObject(output.decode(bytes), conversion),
      };
    };
    const headers = new Metadata();
    for (const [name, value] of Object.entries(metadata)) headers.set(name, value);
    return {
      call: (method, request, { timeoutMs } = {}) =>
        new Promise((resolve, reject) => {
          const { encode, decode } = lookup(method);
          const options =
            timeoutMs === undefined ? {} : { deadline: systemClock.now() + timeoutMs };
          this.#client.makeUnaryRequest(
            `${path}/${method}`,
            encode,
            decode,
            request,
            headers,
            options,
            (error, answer) => (error ? reject(plain(error)) : resolve(answer)),
          );
        }),
      stream: (method, request, signal) => {
        const { encode, decode } = lookup(method);
        const call = this.#client.makeServerStreamRequest(
          `${path}/${method}`,
          encode,
          decode,
          request,
          headers,
        );
        call.on("error", () => {});
        signal.addEventListener("abort", () => call.cancel(), { once: true });
        return call;
      },
      duplex: (method, signal) => {
        const { encode, decode } = lookup(method);
        const call = this.#client.makeBidiStreamRequest(
          `${path}/${method}`,
          encode,
          decode,
          headers,
        );
        call.on("error", () => {});
        signal.addEventListener("abort", () => call.cancel(), { once: true });
        return call;
      },
    };
  }

  close() {
    this.#client.close();
  }
}
