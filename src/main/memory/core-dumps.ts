// Keys and Secrets lie in this process' memory. The kernel writes none of it to a core file, wherever the machine sends
// those, and shows it to no other process of the same user. What Kerb starts decides for itself.

/** PR_SET_DUMPABLE */
const setDumpable = 4;

/** Nothing is lost if it cannot be done. */
export async function forbidCoreDumps() {
  try {
    const { dlopen } = await import("node:ffi");
    const word = "u64" as const;
    const { functions } = dlopen("libc.so.6", {
      prctl: { arguments: ["i32", word, word, word, word], return: "i32" },
    });
    functions.prctl(setDumpable, 0n, 0n, 0n, 0n);
  } catch {
    // Neither every Node has it nor every libc.
  }
}
