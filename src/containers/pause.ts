// The program that holds a pod's namespaces while its containers come and go: it lets the kernel reap its
// orphans and sleeps. A few instructions and an ELF header, written here so that nothing has to be pulled or
// compiled.

const loadAddress = 0x400000;
const headerBytes = 64 + 56;

/** `struct sigaction` with SIG_IGN: children that nobody waits for vanish. */
const ignoreAction = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);

const x64 = Buffer.concat([
  Buffer.from(
    [
      "b80d000000", // rax = rt_sigaction
      "bf11000000", // rdi = SIGCHLD
      "488d3513000000", // rsi = &ignoreAction
      "31d2", // rdx = 0
      "41ba08000000", // r10 = 8
      "0f05", // syscall
      "b822000000", // rax = pause
      "0f05", // syscall
      "ebf7", // again
    ].join(""),
    "hex",
  ),
  ignoreAction,
]);

function arm64(): Buffer {
  const set = (register: number, value: number) => 0xd2800000 + value * 32 + register;
  const call = 0xd4000001;
  const words = [
    set(8, 134), // rt_sigaction
    set(0, 17),
    0x10000000 + 11 * 32 + 1, // x1 = &ignoreAction, 11 words ahead
    set(2, 0),
    set(3, 8),
    call,
    set(8, 73), // ppoll with nothing to wait for
    set(0, 0),
    set(1, 0),
    set(2, 0),
    set(3, 0),
    call,
    0x14000000 + (2 ** 26 - 6), // six words back
  ];
  words[2] = 0x10000000 + (words.length - 2) * 32 + 1;
  const code = Buffer.alloc(words.length * 4);
  words.forEach((word, i) => code.writeUInt32LE(word, i * 4));
  return Buffer.concat([code, ignoreAction]);
}

const machines: Record<string, { id: number; code: () => Buffer; oci: string }> = {
  x64: { id: 62, code: () => x64, oci: "amd64" },
  arm64: { id: 183, code: arm64, oci: "arm64" },
};

function machine(arch: string) {
  const found = machines[arch];
  if (!found) throw new Error(`containers are not supported on ${arch}`);
  return found;
}

/** The architecture's name in OCI images. */
export const ociArchitecture = (arch: string) => machine(arch).oci;

/** A static ELF executable for `process.arch`. */
export function pauseProgram(arch: string): Buffer {
  const { id, code } = machine(arch);
  const text = code();
  const header = Buffer.alloc(headerBytes);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(id, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(loadAddress + headerBytes), 24);
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const total = BigInt(headerBytes + text.length);
  header.writeUInt32LE(1, 64); // load
  header.writeUInt32LE(5, 68); // read, execute
  header.writeBigUInt64LE(BigInt(loadAddress), 80);
  header.writeBigUInt64LE(BigInt(loadAddress), 88);
  header.writeBigUInt64LE(total, 96);
  header.writeBigUInt64LE(total, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, text]);
}
