// NVIDIA's cards, by what their driver says in /proc and its library says through nvidia-smi. A card that nobody
// has used yet has no UUID in /proc, and asking the library may take seconds, so it is asked once for what is there.
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Device, DeviceMount } from "../handler.ts";
import { linesOf, readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";

const answerMsMax = 15_000;
const controlNodes = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];
const libraries =
  /^lib(cuda|cudadebugger|nvcuvid|nvidia-(allocator|cfg|encode|gpucomp|ml|nvvm|opencl|opticalflow|pkcs11|pkcs11-openssl3|ptxjitcompiler))\.so(\.\d+)*$/;
const libraryFolders = [
  "usr/lib/x86_64-linux-gnu",
  "usr/lib/aarch64-linux-gnu",
  "usr/lib64",
  "usr/lib",
];
const uuidPattern = /^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

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

/** What /proc says of each card, by its PCI address; cards that the driver was told to leave alone are none. */
function cardsOf({ root }: GpuWorld) {
  const folder = join(root, "proc/driver/nvidia/gpus");
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  return names
    .map((address) => ({
      address: address.toLowerCase(),
      said: linesOf(readText(join(folder, address, "information")), ":"),
    }))
    .filter(({ said }) => said.get("GPU Excluded") !== "Yes");
}

interface Asked {
  uuid: string;
  mib: number;
}

/** What the library knows, by PCI address; nothing where it is missing or does not answer. */
async function ask(world: GpuWorld, clock: Clock, signal: AbortSignal) {
  const query = ["--query-gpu=pci.bus_id,uuid,memory.total", "--format=csv,noheader,nounits"];
  const answer = world.run("nvidia-smi", query).catch(() => "");
  const late = sleep(clock, answerMsMax, signal).then(
    () => "",
    () => "",
  );
  const rows = (await Promise.race([answer, late])).split("\n");
  return new Map(
    rows.map((row): [string, Asked] => {
      const [bus = "", uuid = "", memory = ""] = row.split(",").map((part) => part.trim());
      // Its domain has eight digits where /proc's has four.
      return [bus.toLowerCase().slice(-"0000:00:00.0".length), { uuid, mib: Number(memory) || 0 }];
    }),
  );
}

/** A look at the cards, to be repeated. */
export function nvidiaLook(world: GpuWorld, clock: Clock, signal: AbortSignal) {
  let askedFor: string | undefined;
  let asked = new Map<string, Asked>();
  return async (): Promise<Device[]> => {
    const cards = cardsOf(world);
    if (cards.length === 0) return [];
    const mounts = mountsOf(world);
    const now = JSON.stringify([mounts, cards.map(({ address }) => address)]);
    if (now !== askedFor) asked = await ask(world, clock, signal);
    askedFor = now;
    const control = controlNodes.filter((name) => existsSync(join(world.root, "dev", name)));
    return cards.map(({ address, said }) => {
      const { uuid: answered = "", mib = 0 } = asked.get(address) ?? {};
      const uuid = [said.get("GPU UUID") ?? "", answered].find((one) => uuidPattern.test(one));
      const nodes = [`nvidia${said.get("Device Minor") ?? "0"}`, ...control].map((name) => {
        const path = join(world.root, "dev", name);
        return { hostPath: path, containerPath: `/dev/${basename(path)}`, permissions: "rw" };
      });
      return {
        id: uuid ?? `pci-${address}`,
        properties: {
          GPU_VENDOR: "nvidia",
          GPU_MODEL: said.get("Model") ?? "",
          GPU_PCI_ADDRESS: said.get("Bus Location") ?? address,
          ...(uuid !== undefined && { GPU_UUID: uuid, NVIDIA_VISIBLE_DEVICES: uuid }),
          ...(mib > 0 && { GPU_MEMORY_BYTES: String(mib * 2 ** 20) }),
        },
        mounts,
        nodes,
      };
    });
  };
}
