// What a pod that is a process needs of the kernel and Node does not call: mounts, made in microseconds and read-only before
// anybody sees them, and a filter of system calls as the kernel reads it. Not every machine has it: before Linux 5.12,
// with another libc or in a Node without FFI such pods are containerd's.
import { closeSync, openSync } from "node:fs";
import type { DynamicLibraryResult } from "node:ffi";
import type { seccompProfile } from "../seccomp.ts";

const signatures = {
  open_tree: { arguments: ["i32", "string", "u32"], return: "i32" },
  mount_setattr: { arguments: ["i32", "string", "u32", "pointer", "u64"], return: "i32" },
  move_mount: { arguments: ["i32", "string", "i32", "string", "u32"], return: "i32" },
  mount: { arguments: ["string", "string", "u64", "u64", "u64"], return: "i32" },
  umount2: { arguments: ["string", "i32"], return: "i32" },
  close_range: { arguments: ["u32", "u32", "i32"], return: "i32" },
  mkfifo: { arguments: ["string", "u32"], return: "i32" },
} as const;

const filterSignatures = {
  seccomp_init: { arguments: ["u32"], return: "u64" },
  seccomp_syscall_resolve_name: { arguments: ["string"], return: "i32" },
  seccomp_rule_add_array: { arguments: ["u64", "u32", "i32", "u32", "pointer"], return: "i32" },
  seccomp_export_bpf: { arguments: ["u64", "i32"], return: "i32" },
  seccomp_release: { arguments: ["u64"], return: "void" },
} as const;

/** `AT_FDCWD`, and flags of open_tree, mount_setattr, move_mount and mount. */
const here = -100;
const cloneTree = 0x1 | 0x8000 | 0o2000000;
const emptyPath = 0x1000;
const recursive = 0x8000;
const fromDescriptor = 0x4;
const [readOnly, noSuid, noDev] = [0x1n, 0x2n, 0x4n];
const attributesBytes = 32;
const [bind, shared] = [0x1000n, 0x100000n];
const detach = 0x2;
const firstOwn = 3;
const closeOnExec = 0x4;

const allow = 0x7fff0000;
const errno = (code: number) => 0x00050000 | code;
const eperm = 1;
const maskedEqual = 7;
const argumentBytes = 24;

type Profile = ReturnType<typeof seccompProfile>;
type Filter = DynamicLibraryResult<typeof filterSignatures>["functions"];

/** libseccomp's `struct scmp_arg_cmp`. */
function comparison({
  index,
  value,
  valueTwo,
}: {
  index: number;
  value: number;
  valueTwo: number;
}) {
  const bytes = Buffer.alloc(argumentBytes);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(maskedEqual, 4);
  bytes.writeBigUInt64LE(BigInt(value), 8);
  bytes.writeBigUInt64LE(BigInt(valueTwo), 16);
  return bytes;
}

function addRules(filter: Filter, context: bigint, { syscalls }: Profile) {
  for (const { names, action, args = [], errnoRet = eperm } of syscalls) {
    const answer = action === "SCMP_ACT_ALLOW" ? allow : errno(errnoRet);
    const compared = Buffer.concat(args.map(comparison));
    for (const name of names) {
      const number = filter.seccomp_syscall_resolve_name(name);
      // Calls that this machine's kind of processor never had.
      if (number < 0) continue;
      const words = args.length > 0 ? compared : 0n;
      if (
        filter.seccomp_rule_add_array(context, answer, number, args.length, words as bigint) !== 0
      )
        throw new Error(`no filter of system calls could be made: ${name}`);
    }
  }
}

export interface Kernel {
  /** Shows a folder at another place, with what is mounted in it; nobody ever sees it writable when it is not to be. */
  show(source: string, target: string, options: { readOnly: boolean }): void;
  /** Shows a folder at another place, and what is mounted there later wherever that place was shown. */
  share(source: string, target: string): void;
  unmount(target: string): void;
  /** A named pipe. */
  pipe(path: string): void;
  /** Writes the filter into a file. */
  writeFilter(profile: Profile, file: string): void;
}

class LinuxKernel implements Kernel {
  readonly #libc: DynamicLibraryResult<typeof signatures>["functions"];
  readonly #openFilter: () => Filter;

  constructor(libc: DynamicLibraryResult<typeof signatures>["functions"], open: () => Filter) {
    this.#libc = libc;
    // What Kerb was started with is nothing for a runner.
    libc.close_range(firstOwn, 0xffffffff, closeOnExec);
    this.#openFilter = open;
  }

  show(source: string, target: string, { readOnly: isReadOnly }: { readOnly: boolean }) {
    const { open_tree, mount_setattr, move_mount } = this.#libc;
    const fd = open_tree(here, source, cloneTree);
    if (fd < 0) throw new Error(`${source} cannot be shown to a module`);
    try {
      const attributes = Buffer.alloc(attributesBytes);
      attributes.writeBigUInt64LE(noSuid | noDev | (isReadOnly ? readOnly : 0n), 0);
      const flags = emptyPath | recursive;
      if (mount_setattr(fd, "", flags, attributes as never, BigInt(attributesBytes)) !== 0)
        throw new Error(`${source} cannot be made safe to be shown to a module`);
      if (move_mount(fd, "", here, target, fromDescriptor) !== 0)
        throw new Error(`${source} cannot be shown to a module at ${target}`);
    } finally {
      closeSync(fd);
    }
  }

  share(source: string, target: string) {
    const { mount } = this.#libc;
    if (mount(source, target, 0n, bind, 0n) !== 0 || mount(target, target, 0n, shared, 0n) !== 0)
      throw new Error(`${source} cannot be shared with pods`);
  }

  unmount(target: string) {
    this.#libc.umount2(target, detach);
  }

  pipe(path: string) {
    if (this.#libc.mkfifo(path, 0o600) !== 0) throw new Error(`${path} cannot be made`);
  }

  writeFilter(profile: Profile, file: string) {
    const filter = this.#openFilter();
    const context = filter.seccomp_init(errno(eperm));
    const fd = openSync(file, "w", 0o600);
    try {
      addRules(filter, context, profile);
      if (filter.seccomp_export_bpf(context, fd) !== 0)
        throw new Error("no filter of system calls could be written");
    } finally {
      closeSync(fd);
      filter.seccomp_release(context);
    }
  }
}

/** Undefined where the machine cannot. */
export async function openKernel(): Promise<Kernel | undefined> {
  try {
    const { dlopen } = await import("node:ffi");
    const libc = dlopen("libc.so.6", signatures).functions;
    return new LinuxKernel(
      libc,
      () => dlopen("libseccomp.so.2", filterSignatures).functions as Filter,
    );
  } catch {
    return undefined;
  }
}
