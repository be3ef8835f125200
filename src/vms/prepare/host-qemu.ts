// The machine's own QEMU: where it lies, what it loads, and what of the hardware it may use.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { withLibraries } from "./loaded-files.ts";

export const qemuBinary = "/usr/bin/qemu-system-x86_64";

/** Folders of firmware, of keyboard layouts and of QEMU's own modules. */
const dataFolders = [
  "/usr/share/qemu",
  "/usr/share/seabios",
  "/usr/share/OVMF",
  "/usr/lib/ipxe/qemu",
  "/usr/lib/x86_64-linux-gnu/qemu",
];

/** QEMU's modules for USB devices of the machine and of clients, which load what QEMU itself does not. */
const usbModules = ["hw-usb-host.so", "hw-usb-redirect.so"].map((name) =>
  join("/usr/lib/x86_64-linux-gnu/qemu", name),
);

/** Everything that a container needs of the host to run QEMU. */
export async function qemuFiles(directory: string): Promise<string[]> {
  const programs = [qemuBinary, ...usbModules].filter((path) => existsSync(path));
  const files = await withLibraries(programs, join(directory, "qemu-files.json"));
  const folders = dataFolders.filter((path) => existsSync(path));
  const isBeside = (file: string) => folders.every((folder) => !file.startsWith(`${folder}/`));
  return [...files.filter(isBeside), ...folders];
}

export interface Capabilities {
  accelerator: "kvm" | "tcg";
  /** Why not KVM, in plain words. */
  why?: string;
}

/** What the node found out when it started (node/probe.ts). */
export function capabilitiesIn(directory: string): Capabilities {
  try {
    return JSON.parse(readFileSync(join(directory, "capabilities.json"), "utf8"));
  } catch {
    return { accelerator: "tcg" };
  }
}
