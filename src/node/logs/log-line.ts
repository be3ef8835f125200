// One line of a CRI log: `2026-01-01T00:00:00.000000000Z stdout F text`. Pure.
import type { LogOptions } from "../../lib/node-connection.ts";

const space = 0x20;

export interface LogFilter {
  /** Milliseconds since 1970; earlier lines are left out. */
  sinceMs: number;
  timestamps: boolean;
  /** "stdout", "stderr" or "" for both. */
  stream: string;
}

export function logFilter(options: LogOptions, now: number): LogFilter {
  const { sinceSeconds, sinceTime, timestamps = false, stream = "All" } = options;
  const since =
    sinceSeconds === undefined ? Date.parse(sinceTime ?? "") : now - sinceSeconds * 1000;
  return {
    sinceMs: Number.isNaN(since) ? -Infinity : since,
    timestamps,
    stream: stream === "All" ? "" : stream.toLowerCase(),
  };
}

/** What a reader sees of a line (without its newline); empty when it is filtered out or broken. */
export function formatLine(line: Buffer, filter: LogFilter): Buffer {
  const first = line.indexOf(space);
  const second = line.indexOf(space, first + 1);
  const third = line.indexOf(space, second + 1);
  const nothing = Buffer.alloc(0);
  if (first < 0 || second < 0) return nothing;
  const time = line.toString("latin1", 0, first);
  if (filter.sinceMs > -Infinity && Date.parse(time) < filter.sinceMs) return nothing;
  if (filter.stream && line.toString("latin1", first + 1, second) !== filter.stream) return nothing;
  const tag = line.toString("latin1", second + 1, third < 0 ? line.length : third);
  const text = third < 0 ? nothing : line.subarray(third + 1);
  const parts = [text];
  if (filter.timestamps) parts.unshift(Buffer.from(`${time} `));
  // A partial line goes on in the next one.
  if (!tag.startsWith("P")) parts.push(Buffer.from("\n"));
  return Buffer.concat(parts);
}
