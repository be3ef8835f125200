// Attach, for containers that write their log themselves: what they say from now on, out of that log.
import { watch } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Streams } from "../../lib/node-connection.ts";

const chunkBytes = 65_536;
const lookEveryMs = 500;
const newline = 0x0a;
/** What is longer without an end is no line of a log: whoever broke out of its module wrote it. */
const lineBytesMax = 2 ** 20;

/** A line of a log, taken apart; undefined where it is none. Pure. */
export function saidIn(line: Buffer): { stream: string; text: Buffer } | undefined {
  const head = /^\S+ (stdout|stderr) ([FP])(?: |$)/.exec(line.toString("latin1", 0, 64));
  if (!head) return undefined;
  const text = line.subarray(head[0].length);
  return {
    stream: head[1]!,
    text: head[2] === "F" ? Buffer.concat([text, Buffer.from("\n")]) : text,
  };
}

async function readFrom(path: string, from: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const chunk = Buffer.alloc(chunkBytes);
    const { bytesRead } = await file.read(chunk, 0, chunkBytes, from);
    return chunk.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

export interface FollowOptions {
  streams: Streams;
  /** False once nothing more is written. */
  isRunning: () => boolean;
  clock: Clock;
}

/** Resolves when the container has ended and all is shown, or when the caller goes away. */
export async function followLog(
  path: string,
  { streams, isRunning, clock }: FollowOptions,
): Promise<void> {
  let { size: at, ino } = await stat(path);
  let rest = Buffer.alloc(0);
  const show = async (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const said = saidIn(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      await (said?.stream === "stderr" ? streams.stderr : streams.stdout)(
        said?.text ?? Buffer.alloc(0),
      );
    }
    if (rest.length > lineBytesMax) rest = Buffer.alloc(0);
  };
  while (!streams.signal.aborted) {
    const wasRunning = isRunning();
    const now = await stat(path).catch(() => undefined);
    // A full log was put aside, and the next is read from its beginning.
    if (now && now.ino !== ino) [ino, at] = [now.ino, 0];
    const bytes = now ? await readFrom(path, at) : Buffer.alloc(0);
    at += bytes.length;
    await show(bytes);
    if (bytes.length > 0) continue;
    if (!wasRunning) return;
    await nextChange(path, streams.signal, clock);
  }
}

function nextChange(path: string, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(dirname(path));
    const done = () => {
      cancel();
      watcher.close();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(lookEveryMs, done);
    watcher.once("change", done).once("error", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
