// Cards of AMD and Intel, by the kernel's own files (drm).
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { Device } from "../discovery/handler.ts";
import { linesOf, readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";

const vendors: Record<string, string> = { "0x1002": "amd", "0x8086": "intel" };

function memoryOf(card: string): string {
  const files = ["device/mem_info_vram_total", "lmem_total_bytes", "device/lmem_total_bytes"];
  return files.map((file) => readText(join(card, file))).find((text) => /^\d+$/.test(text)) ?? "";
}

function modelOf(card: string): string {
  const name = readText(join(card, "device/product_name"));
  if (name) return name;
  const uevent = linesOf(readText(join(card, "device/uevent")), "=");
  return uevent.get("PCI_ID") ?? "";
}

function nodesOf({ root }: GpuWorld, card: string, vendor: string) {
  const drm = join(card, "device/drm");
  const names = existsSync(drm) ? readdirSync(drm) : [basename(card)];
  const paths = names
    .filter((name) => /^(card|renderD)\d+$/.test(name))
    .map((name) => `dri/${name}`);
  // The compute queue of all of AMD's cards.
  if (vendor === "amd" && existsSync(join(root, "dev/kfd"))) paths.push("kfd");
  return paths.sort().map((path) => ({
    hostPath: join(root, "dev", path),
    containerPath: `/dev/${path}`,
    permissions: "rw",
  }));
}

export function drmDevices(world: GpuWorld): Device[] {
  const folder = join(world.root, "sys/class/drm");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const card = join(folder, name);
    const vendor = vendors[readText(join(card, "device/vendor"))];
    if (!/^card\d+$/.test(name) || !vendor) return [];
    const address = basename(realpathSync(join(card, "device")));
    const memory = memoryOf(card);
    const device: Device = {
      id: `pci-${address}`,
      properties: {
        GPU_VENDOR: vendor,
        GPU_MODEL: modelOf(card),
        GPU_PCI_ADDRESS: address,
        ...(memory && { GPU_MEMORY_BYTES: memory }),
      },
      mounts: [],
      nodes: nodesOf(world, card, vendor),
    };
    return [device];
  });
}
