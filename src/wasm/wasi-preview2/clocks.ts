// wasi:clocks and wasi:random.
import { Pollable } from "./poll.ts";

export interface WorldOptions {
  /** Nanoseconds since 1970. */
  now: () => bigint;
  /** Nanoseconds; only differences mean anything. */
  monotonic: () => bigint;
  random: (into: Uint8Array) => void;
}

const resolutionNs = 1000;
const billion = 1_000_000_000n;
const randomBytesMax = 65_536;

export function clockInterfaces({ now, monotonic }: WorldOptions) {
  const at = (dueAt: bigint) => new Pollable({ isReady: () => monotonic() >= dueAt, dueAt });
  return {
    "wasi:clocks/monotonic-clock": {
      now: monotonic,
      resolution: () => BigInt(resolutionNs),
      subscribeInstant: at,
      subscribeDuration: (ns: bigint) => at(monotonic() + ns),
    },
    "wasi:clocks/wall-clock": {
      now() {
        const time = now();
        return { seconds: time / billion, nanoseconds: Number(time % billion) };
      },
      resolution: () => ({ seconds: 0n, nanoseconds: resolutionNs }),
    },
  };
}

export function randomInterfaces({ random }: WorldOptions) {
  const bytes = (length: bigint) => {
    const into = new Uint8Array(Number(length));
    for (let at = 0; at < into.length; at += randomBytesMax) {
      random(into.subarray(at, at + randomBytesMax));
    }
    return into;
  };
  const u64 = () => new DataView(bytes(8n).buffer).getBigUint64(0);
  return {
    "wasi:random/random": { getRandomBytes: bytes, getRandomU64: u64 },
    "wasi:random/insecure": { getInsecureRandomBytes: bytes, getInsecureRandomU64: u64 },
    "wasi:random/insecure-seed": { insecureSeed: () => [u64(), u64()] },
  };
}
