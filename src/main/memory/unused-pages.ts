// What a process has of the machine and does not need: free memory that malloc keeps, and pages of Node's own file that
// only its start ran. The kernel has the file's pages cached still; what is needed again is mapped again, sixteen
// pages in a microsecond. Nothing here is lost if it cannot be done.
import { readFile } from "node:fs/promises";

export interface Mapping {
  from: bigint;
  bytes: bigint;
}

const header = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/;

/**
 * Of `/proc/PID/smaps`, the mappings of `file` that nobody writes and nobody wrote: what a loader had changed before it
 * made it read-only is nowhere but in memory. Pure.
 */
export function unwrittenMappings(smaps: string, file: string): Mapping[] {
  const found: Mapping[] = [];
  let candidate: Mapping | undefined;
  for (const line of smaps.split("\n")) {
    const head = header.exec(line);
    if (head) {
      const [from, to] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
      const isOfFile = /^r-[x-]p$/.test(head[3]!) && head[4] === file;
      candidate = isOfFile ? { from, bytes: to - from } : undefined;
    } else if (candidate && /^Anonymous: +0 kB$/.test(line)) found.push(candidate);
  }
  return found;
}

interface Libc {
  malloc_trim(padBytes: bigint): number;
  madvise(from: bigint, bytes: bigint, advice: number): number;
}

/** MADV_DONTNEED. */
const notNeeded = 4;

async function openLibc(): Promise<Libc | undefined> {
  try {
    const { dlopen } = await import("node:ffi");
    return dlopen("libc.so.6", {
      malloc_trim: { arguments: ["u64"], return: "i32" },
      madvise: { arguments: ["u64", "u64", "i32"], return: "i32" },
    }).functions;
  } catch {
    // Neither every Node has it nor every libc.
    return undefined;
  }
}

let libc: Promise<Libc | undefined> | undefined;

export async function giveBackUnusedPages() {
  const { malloc_trim: trim, madvise } = (await (libc ??= openLibc())) ?? {};
  if (!trim || !madvise) return;
  trim(0n);
  const smaps = await readFile("/proc/self/smaps", "utf8").catch(() => "");
  for (const { from, bytes } of unwrittenMappings(smaps, process.execPath)) {
    madvise(from, bytes, notNeeded);
  }
}
