// One connection, opened within a time and with a limit on what is kept of its answers.
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Endpoint } from "./addresses.ts";

/** Throws when nobody is there within the time. */
export function openTcp({ host, port }: Endpoint, signal: AbortSignal, msMax = 3000) {
  return new Promise<Socket>((resolve, reject) => {
    const socket = connect({ host, port });
    const until = AbortSignal.any([signal, AbortSignal.timeout(msMax)]);
    const fail = (error: unknown) => {
      socket.destroy();
      reject(error instanceof Error ? error : new Error("it does not answer"));
    };
    const onAbort = () => fail(until.reason);
    until.addEventListener("abort", onAbort, { once: true });
    socket.once("error", fail);
    socket.once("connect", () => {
      until.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** What comes in, frame by frame: `length` says how long the first frame is, or undefined while it cannot. */
export async function* frames(
  socket: Socket,
  length: (bytes: Buffer) => number | undefined,
  bytesMax: number,
): AsyncGenerator<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  for await (const part of socket) {
    bytes = Buffer.concat([bytes, part as Buffer]);
    for (let size = length(bytes); size !== undefined; size = length(bytes)) {
      if (size > bytesMax) throw new Error("the answer is too long");
      if (bytes.length < size) break;
      yield bytes.subarray(0, size);
      bytes = bytes.subarray(size);
    }
  }
}
