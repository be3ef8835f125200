// One connection, opened within a time, whose answers have a time and a limit too.
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Endpoint } from "./addresses.ts";
import { AnswerError } from "./answer-error.ts";

/** Throws when nobody is there within the time. */
export function openTcp({ host, port }: Endpoint, signal: AbortSignal, msMax = 3000) {
  return new Promise<Socket>((resolve, reject) => {
    const socket = connect({ host, port });
    const until = AbortSignal.any([signal, AbortSignal.timeout(msMax)]);
    const fail = (error: unknown) => {
      until.removeEventListener("abort", onAbort);
      socket.destroy();
      reject(error instanceof Error ? error : new Error("it does not answer"));
    };
    const onAbort = () => fail(until.reason);
    until.addEventListener("abort", onAbort, { once: true });
    if (until.aborted) onAbort();
    socket.once("error", fail);
    socket.once("connect", () => {
      until.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/**
 * Ends the connection when the answer is not whole within the time, however busily it drips: who answers slowly on
 * purpose must not hold up the search for others.
 */
export async function inTime<T>(
  socket: Socket,
  msMax: number,
  answer: () => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(msMax);
  const end = () => socket.destroy(new AnswerError("it does not answer in time"));
  late.addEventListener("abort", end, { once: true });
  try {
    return await answer();
  } finally {
    late.removeEventListener("abort", end);
  }
}

/** What comes in, frame by frame: `length` says how long the first frame is, or undefined while it cannot. */
export async function* frames(
  socket: Socket,
  length: (bytes: Buffer) => number | undefined,
  bytesMax: number,
): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let have = 0;
  let wanted = 1;
  for await (const part of socket as AsyncIterable<Buffer>) {
    parts.push(part);
    have += part.length;
    if (have < wanted) continue;
    let bytes = Buffer.concat(parts);
    let size: number | undefined;
    while ((size = length(bytes)) !== undefined) {
      if (size > bytesMax) throw new AnswerError("the answer is too long");
      if (bytes.length < size) break;
      yield bytes.subarray(0, size);
      bytes = bytes.subarray(size);
    }
    parts = [bytes];
    have = bytes.length;
    wanted = size ?? have + 1;
  }
}
