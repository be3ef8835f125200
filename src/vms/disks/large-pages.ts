// Memory in the kernel's large pages. What lies in one piece goes to a disk in few requests, while of small pages that
// lie anywhere a request holds 254 at most: the same disk is half as fast. A Node, a libc or a kernel that has no such
// way leaves the memory as it is.

/** MADV_HUGEPAGE. */
const large = 14;

/** Before anything is written to it. */
export function useLargePages(memory: Uint8Array) {
  try {
    const { dlopen } = process.getBuiltinModule("node:ffi");
    const { functions } = dlopen("libc.so.6", {
      madvise: { arguments: ["pointer", "u64", "i32"], return: "i32" },
    });
    functions.madvise(memory as never, BigInt(memory.byteLength), large);
  } catch {
    // It was a wish.
  }
}
