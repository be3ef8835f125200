// The machine's own QEMU: where it lies, what it loads, and what of the hardware it may use. The list of
// libraries is kept beside its stamp, since asking the dynamic loader takes a while.
import { readFileSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";

export const qemuBinary = "/usr/bin/qemu-system-x86_64";

/** Folders of firmware, of keyboard layouts and of QEMU's own modules. */
const dataFolders = [
  "/usr/share/qemu",
  "/usr/share/seabios",
  "/usr/share/OVMF",
  "/usr/lib/ipxe/qemu",
  "/usr/lib/x86_64-linux-gnu/qemu",
];

/** Of what `ldd` prints. Pure. */
export const loadedFiles = (listed: string): string[] => [
  ...new Set([...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!)),
];

interface Known {
  stamp: string;
  files: string[];
}

/** Everything that a container needs of the host to run QEMU. */
export async function qemuFiles(directory: string): Promise<string[]> {
  const { mtimeMs, size } = statSync(qemuBinary);
  const stamp = `${mtimeMs}-${size}`;
  const file = join(directory, "qemu-files.json");
  try {
    const known = JSON.parse(readFileSync(file, "utf8")) as Known;
    const isThere = known.files.every((path) => existsSync(path));
    if (known.stamp === stamp && isThere) return known.files;
  } catch {
    // Not asked before.
  }
  const libraries = loadedFiles(await runCommand("ldd", [qemuBinary]));
  const folders = dataFolders.filter((path) => existsSync(path));
  const files = [qemuBinary, ...libraries, ...folders];
  writeFileSync(file, JSON.stringify({ stamp, files }));
  return files;
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
