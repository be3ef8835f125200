// What a process has of the machine and does not need: free memory that malloc keeps, and pages of files, Node's own above
// all, that it ran or read and has not since. The kernel has the files' pages cached still; what is needed again is
// mapped again, sixteen pages in a microsecond or two, and what is never needed again is not counted as this process's
// for ever. Nothing here is lost if it cannot be done.
import { readFile } from "node:fs/promises";

export interface Mapping {
  from: bigint;
  bytes: bigint;
}

const header = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/;

/** What Node is linked with stays where it is; what is loaded later may leave its place to others. */
const linked = /\/lib(c|m|stdc\+\+)\.so\.\d+[.\d]*$/;

/**
 * Of `/proc/PID/smaps`, the mappings of `file` and of the libraries that it is linked with which nobody can write and
 * nobody wrote: what a loader had changed before it made it read-only is nowhere but in memory. Pure.
 */
export function unwrittenMappings(smaps: string, file: string): Mapping[] {
  const found: Mapping[] = [];
  let candidate: Mapping | undefined;
  for (const line of smaps.split("\n")) {
    const head = header.exec(line);
    if (head) {
      const [from, to] = [BigInt(`0x${head[1]}`), BigInt(`0x${head[2]}`)];
      const isOfFile = head[4] === file || linked.test(head[4]!);
      candidate = isOfFile && /^r-[x-]p$/.test(head[3]!) ? { from, bytes: to - from } : undefined;
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

/** What cannot be written stays unwritten, so it is looked for once: that takes longer than all the rest. */
async function prepare() {
  const [libc, smaps] = await Promise.all([
    openLibc(),
    readFile("/proc/self/smaps", "utf8").catch(() => ""),
  ]);
  return { libc, mappings: unwrittenMappings(smaps, process.execPath) };
}

let prepared: ReturnType<typeof prepare> | undefined;

export async function giveBackUnusedPages() {
  const { libc, mappings } = await (prepared ??= prepare());
  if (!libc) return;
  const { malloc_trim: trim, madvise } = libc;
  trim(0n);
  for (const { from, bytes } of mappings) madvise(from, bytes, notNeeded);
}
