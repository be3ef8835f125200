// NVIDIA's cards, by what their driver says in /proc; memory by nvidia-smi where that is installed.
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { Device, DeviceMount } from "../handler.ts";
import { linesOf, readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";

const controlNodes = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];
const libraries =
  /^lib(cuda|nvidia-ml|nvidia-ptxjitcompiler|nvidia-nvvm|nvcuvid|nvidia-encode)\.so\.1$/;
const libraryFolders = [
  "usr/lib/x86_64-linux-gnu",
  "usr/lib/aarch64-linux-gnu",
  "usr/lib64",
  "usr/lib",
];

function mountsOf({ root }: GpuWorld): DeviceMount[] {
  const paths: string[] = [];
  for (const folder of libraryFolders) {
    const directory = join(root, folder);
    const names = existsSync(directory) ? readdirSync(directory) : [];
    paths.push(
      ...names.filter((name) => libraries.test(name)).map((name) => join(directory, name)),
    );
  }
  const smi = join(root, "usr/bin/nvidia-smi");
  if (existsSync(smi)) paths.push(smi);
  return paths.map((hostPath) => ({
    hostPath,
    containerPath: `/${hostPath.slice(root.length).replace(/^\//, "")}`,
    readOnly: true,
  }));
}

/** MiB by UUID. */
async function memories(world: GpuWorld): Promise<Map<string, number>> {
  const query = ["--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"];
  const text = await world.run("nvidia-smi", query).catch(() => "");
  const rows = text.split("\n").map((line) => line.split(",").map((part) => part.trim()));
  return new Map(
    rows.filter(([, mib]) => Number(mib) > 0).map(([id = "", mib]) => [id, Number(mib)]),
  );
}

export async function nvidiaDevices(world: GpuWorld): Promise<Device[]> {
  const folder = join(world.root, "proc/driver/nvidia/gpus");
  if (!existsSync(folder)) return [];
  const memory = await memories(world);
  const mounts = mountsOf(world);
  const control = controlNodes.filter((name) => existsSync(join(world.root, "dev", name)));
  return readdirSync(folder).map((address) => {
    const said = linesOf(readText(join(folder, address, "information")), ":");
    const uuid = said.get("GPU UUID") ?? address;
    const mib = memory.get(uuid);
    const minor = said.get("Device Minor") ?? "0";
    const nodes = [`nvidia${minor}`, ...control].map((name) => {
      const path = join(world.root, "dev", name);
      return { hostPath: path, containerPath: `/dev/${basename(path)}`, permissions: "rw" };
    });
    return {
      id: uuid,
      properties: {
        GPU_VENDOR: "nvidia",
        GPU_MODEL: said.get("Model") ?? "",
        GPU_UUID: uuid,
        GPU_PCI_ADDRESS: said.get("Bus Location") ?? address,
        ...(mib !== undefined && { GPU_MEMORY_BYTES: String(mib * 2 ** 20) }),
        NVIDIA_VISIBLE_DEVICES: uuid,
      },
      mounts,
      nodes,
    };
  });
}
