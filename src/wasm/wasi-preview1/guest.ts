// What a guest of WASI preview 1 is given, and what its calls work on.
import type { DirectoryLimits } from "../files/directory.ts";
import type { OpenFile } from "../files/open-file.ts";
import type { Descriptors } from "./descriptors.ts";
import type { GuestMemory } from "./guest-memory.ts";

export interface Preopen extends DirectoryLimits {
  /** Where the guest sees it. */
  guest: string;
  host: string;
}

export interface HostOptions {
  args: string[];
  env: Record<string, string>;
  preopens: Preopen[];
  /** Nanoseconds since 1970. */
  now: () => bigint;
  /** Nanoseconds; only differences mean anything. */
  monotonic: () => bigint;
  random: (into: Uint8Array) => void;
  /** Ends the guest; does not return. */
  exit: (code: number) => never;
  /** Where its output goes; absent: to the process's own. */
  output?: (fd: number) => OpenFile;
  /** Before the guest waits, nobody knows how long. */
  beforeWait?: () => void;
}

export interface Host extends HostOptions {
  memory: GuestMemory;
  descriptors: Descriptors;
}

export type Call = (...args: any[]) => number | void;
export type Calls = Record<string, Call>;
