// A kernel to boot without a disk, and UEFI: files of the pod's volumes and of the host's packages.
import {
  closeSync,
  existsSync,
  fchownSync,
  openSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { badRequest } from "../../lib/status-error.ts";
import type { Domain } from "../domain.ts";
import { launcherPaths, qemuUser } from "../domain.ts";
import type { Launch } from "../qemu/launch.ts";
import type { DiskPlaces } from "./prepare-disks.ts";
import { fileIn } from "./prepare-disks.ts";

/** By whether only signed code boots. */
const uefi = {
  secure: ["/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"],
  plain: ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
} as const;

function kernelOf({ firmware: { kernel } }: Domain, { hostPath }: DiskPlaces): Launch["kernel"] {
  if (!kernel) return undefined;
  const folder = hostPath(launcherPaths.kernel);
  if (!folder) throw badRequest("firmware.kernelBoot: its image is not mounted");
  const inside = (path: string) => {
    const real = fileIn(folder, path.replace(/^\/+/, ""));
    return join(launcherPaths.kernel, real.slice(realpathSync(folder).length));
  };
  const { kernelPath, initrdPath } = kernel;
  return {
    ...(kernelPath && { path: inside(kernelPath) }),
    ...(initrdPath && { initrd: inside(initrdPath) }),
  };
}

const variablesFile = "efi-variables.fd";

/** Whoever else writes to the volume may have put anything there: nothing is followed and nothing replaced. */
function own(path: string, content: string) {
  let file: number;
  try {
    file = openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
  writeFileSync(file, readFileSync(content));
  fchownSync(file, qemuUser, qemuUser);
  closeSync(file);
}

function efiOf({ firmware: { efi } }: Domain, { hostPath }: DiskPlaces): Launch["efi"] {
  if (!efi) return undefined;
  const [code, variables] = efi.secureBoot ? uefi.secure : uefi.plain;
  if (!existsSync(code)) {
    throw badRequest(`firmware.bootloader.efi: this node has no ${code} (Debian package ovmf)`);
  }
  const folder = efi.persistent ? launcherPaths.state : launcherPaths.run;
  const place = hostPath(folder);
  if (!place) throw badRequest(`firmware.bootloader.efi: nothing is mounted at ${folder}`);
  own(join(place, variablesFile), variables);
  return { code, variables: join(folder, variablesFile) };
}

export function prepareFirmware(
  domain: Domain,
  places: DiskPlaces,
): Pick<Launch, "kernel" | "efi"> {
  const kernel = kernelOf(domain, places);
  const efi = efiOf(domain, places);
  return { ...(kernel && { kernel }), ...(efi && { efi }) };
}
