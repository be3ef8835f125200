// Answers gRPC calls on a unix socket or a port, with messages described by plain data, as `grpc.ts` asks them.
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { conversion, isGrpc } from "./grpc.ts";
import type { Message } from "./grpc.ts";

export interface GrpcMethod {
  request: string;
  response: string;
  /** Answers once. */
  answer?: (request: any) => Promise<Message> | Message;
  /** Writes answers until `signal` aborts: the caller has gone. A promise that settles ends them. */
  stream?: (
    request: any,
    write: (answer: Message) => void,
    signal: AbortSignal,
  ) => void | Promise<void>;
}

export interface GrpcServiceAnswers {
  /** `/v1beta1.Registration`. */
  path: string;
  /** protobufjs' JSON. */
  types: protobuf.INamespace["nested"];
  methods: Record<string, GrpcMethod>;
}

export interface GrpcListener {
  /** Ends every connection. */
  close(): void;
}

const failureOf = (error: unknown) => {
  const code = isGrpc(error, "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED")
    ? (error as { code: number }).code
    : status.UNKNOWN;
  return { code, details: error instanceof Error ? error.message : String(error) };
};

/** An error that the caller sees with gRPC's code. */
export const grpcError = (code: keyof typeof status, message: string) =>
  Object.assign(new Error(message), { code: status[code] });

function handlerOf({ answer, stream }: GrpcMethod) {
  if (answer) {
    return (call: ServerUnaryCall<any, Message>, done: sendUnaryData<Message>) => {
      void Promise.resolve(call.request)
        .then(answer)
        .then(
          (value) => done(null, value),
          (error) => done(failureOf(error)),
        );
    };
  }
  return (call: ServerWritableStream<any, Message>) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    call.on("close", () => gone.abort());
    call.on("error", () => gone.abort());
    const streaming = stream!(call.request, (message) => call.write(message), gone.signal);
    streaming?.then(
      () => call.end(),
      (error: unknown) => call.emit("error", failureOf(error)),
    );
  };
}

function add(server: Server, { path, types, methods }: GrpcServiceAnswers) {
  const root = protobuf.Root.fromJSON({ nested: types ?? {} });
  const entries = Object.entries(methods).map(([name, method]) => {
    const input = root.lookupType(method.request);
    const output = root.lookupType(method.response);
    const definition = {
      path: `${path}/${name}`,
      requestStream: false,
      responseStream: method.stream !== undefined,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: (bytes: Buffer) => input.toObject(input.decode(bytes), conversion),
      responseSerialize: (message: Message) =>
        Buffer.from(output.encode(output.fromObject(message)).finish()),
      responseDeserialize: () => undefined,
    };
    return [name, definition, handlerOf(method)] as const;
  });
  server.addService(
    Object.fromEntries(entries.map(([name, definition]) => [name, definition])) as never,
    Object.fromEntries(entries.map(([name, , handler]) => [name, handler])) as never,
  );
}

/** `at` is the path of a socket where nothing is yet, or `host:port`. */
export function listenGrpc(at: string, services: GrpcServiceAnswers[]): Promise<GrpcListener> {
  const server = new Server();
  for (const service of services) add(server, service);
  return new Promise((resolve, reject) => {
    server.bindAsync(
      at.startsWith("/") ? `unix://${at}` : at,
      ServerCredentials.createInsecure(),
      (error) => {
        if (error) reject(error);
        else resolve({ close: () => server.forceShutdown() });
      },
    );
  });
}
