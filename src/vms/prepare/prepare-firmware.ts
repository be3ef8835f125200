// A kernel to boot without a disk, and UEFI: files of the pod's volumes and of the host's packages.
import { copyFileSync, existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { badRequest } from "../../lib/status-error.ts";
import type { Domain } from "../domain.ts";
import { launcherPaths } from "../domain.ts";
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

function efiOf({ firmware: { efi } }: Domain, { hostPath, give }: DiskPlaces): Launch["efi"] {
  if (!efi) return undefined;
  const [code, variables] = efi.secureBoot ? uefi.secure : uefi.plain;
  if (!existsSync(code)) {
    throw badRequest(`firmware.bootloader.efi: this node has no ${code} (Debian package ovmf)`);
  }
  const name = "efi-variables.fd";
  const own = join(hostPath(launcherPaths.run)!, name);
  if (!existsSync(own)) {
    copyFileSync(variables, own);
    give(own);
  }
  return { code, variables: join(launcherPaths.run, name) };
}

export function prepareFirmware(
  domain: Domain,
  places: DiskPlaces,
): Pick<Launch, "kernel" | "efi"> {
  const kernel = kernelOf(domain, places);
  const efi = efiOf(domain, places);
  return { ...(kernel && { kernel }), ...(efi && { efi }) };
}
