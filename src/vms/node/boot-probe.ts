// A program of one disk sector that counts and then ends the machine: whoever runs it in time has virtualization
// that works, whatever the device node promises. A KVM that interprets instructions takes minutes.

const rounds = 100_000_000;
const exitPort = 0x501;
const exitValue = 0x10;
/** isa-debug-exit doubles what it is told and adds one. */
export const probeExitCode = exitValue * 2 + 1;

/** 512 bytes, as a BIOS loads them. */
export function bootSector(): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(rounds);
  const code = Buffer.concat([
    Buffer.from("66b9", "hex"), // ecx =
    count,
    Buffer.from("6649", "hex"), // ecx--
    Buffer.from("75fc", "hex"), // again until it is 0
    Buffer.from([0xba, exitPort & 0xff, exitPort >> 8]), // dx = exitPort
    Buffer.from([0xb0, exitValue]), // al = exitValue
    Buffer.from("eef4ebfd", "hex"), // out dx, al; hlt; hlt again
  ]);
  const sector = Buffer.alloc(512);
  code.copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

export const probeArguments = (disk: string, accelerator: "kvm" | "tcg") => [
  ...["-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc"],
  ...["-accel", accelerator, "-cpu", accelerator === "kvm" ? "host" : "max"],
  ...["-m", "16M", "-no-reboot", "-device", `isa-debug-exit,iobase=${exitPort},iosize=1`],
  // A disk of IDE is never one that is only read.
  ...["-drive", `file=${disk},format=raw,if=ide`],
];

export interface Hardware {
  /** /dev/kvm opens. */
  hasDevice: boolean;
  /** Modules of the kernel that are KVM's, `kvm_intel`. */
  modules: string[];
  architecture: string;
}

/** Why KVM is not even tried; undefined when it is worth a boot. Pure. */
export function whyNoKvm({ hasDevice, modules, architecture }: Hardware): string | undefined {
  if (!hasDevice) return "there is no /dev/kvm that opens";
  if (architecture !== "x64") return undefined;
  const isHardware = modules.some((name) => name === "kvm_intel" || name === "kvm_amd");
  if (isHardware) return undefined;
  return `KVM is there without the processor's help (${modules.join(", ") || "no module"})`;
}
