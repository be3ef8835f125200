// NVIDIA's cards, by what their driver says in /proc and its library says through nvidia-smi. A card that nobody
// has used yet has no UUID in /proc, and asking the library may take seconds, so it is asked once for what is there. Cards in MIG mode are their parts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Device, DeviceMount } from "../discovery/handler.ts";
import { linesOf, readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";
import { knowsMig, migLayout, migNames, migNumbers, migParts } from "./mig.ts";

const answerMsMax = 15_000;
const controlNodes = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];
/** What programs that compute load, now or at their first kernel; not what draws. */
const libraries =
  /^lib(cuda|cudadebugger|nvcuvid|nvidia-(allocator|cfg|compiler|encode|fatbinaryloader|gpucomp|ml|nvvm\d*|opencl|opticalflow|pkcs11|pkcs11-openssl3|ptxjitcompiler|sandboxutils|tileiras))\.so(\.\d+)*$/;
const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
/** Where a machine's driver may lie; the first that has it is meant, since others are for older programs. */
const libraryFolders = [
  `usr/lib/${triplet}`,
  "usr/lib64",
  "usr/lib",
  `usr/lib/${triplet}/nvidia/current`,
  "usr/local/nvidia/lib64",
];
/** Where loaders look without being told, that of Debian and that of Red Hat: an image may be of either. */
const containerFolders = [`/usr/lib/${triplet}`, "/usr/lib64"];
const uuidPattern = /^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function mountsOf({ root }: GpuWorld): DeviceMount[] {
  const has = (folder: string) => existsSync(join(root, folder, "libcuda.so.1"));
  const folder = libraryFolders.find(has);
  const names = folder === undefined ? [] : readdirSync(join(root, folder));
  const mounts = names
    .filter((name) => libraries.test(name))
    .flatMap((name) =>
      containerFolders.map((into) => ({
        hostPath: join(root, folder!, name),
        containerPath: join(into, name),
        readOnly: true,
      })),
    );
  const smi = join(root, "usr/bin/nvidia-smi");
  if (existsSync(smi)) {
    mounts.push({ hostPath: smi, containerPath: "/usr/bin/nvidia-smi", readOnly: true });
  }
  return mounts;
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

type Asking = (args: string[], program?: string) => Promise<string>;

/** What a program of the driver's prints; "" where it is missing or does not answer. */
const asking =
  (world: GpuWorld, clock: Clock, signal: AbortSignal): Asking =>
  (args, program = "nvidia-smi") => {
    const nothing = () => "";
    const late = sleep(clock, answerMsMax, signal).then(nothing, nothing);
    return Promise.race([world.run(program, args).catch(nothing), late]);
  };

interface Asked {
  /** By PCI address. */
  cards: Map<string, { uuid: string; mib: number }>;
  /** Those in MIG mode, by PCI address. */
  divided: ReturnType<typeof migNumbers>;
  parts: ReturnType<typeof migNames>;
}

const nothingAsked: Asked = { cards: new Map(), divided: new Map(), parts: new Map() };

async function askAll(world: GpuWorld, ask: Asking): Promise<Asked> {
  // Nothing computes without it, and it is there only once somebody has computed or asked for it.
  const isLoaded = existsSync(join(world.root, "dev/nvidia-uvm"));
  if (!isLoaded) await ask(["-c", "0", "-u"], "nvidia-modprobe");
  const query = ["--query-gpu=pci.bus_id,uuid,memory.total", "--format=csv,noheader,nounits"];
  const rows = (await ask(query))
    .split("\n")
    .map((row): [string, { uuid: string; mib: number }] => {
      const [bus = "", uuid = "", memory = ""] = row.split(",").map((part) => part.trim());
      // Its domain has eight digits where /proc's has four.
      return [bus.toLowerCase().slice(-"0000:00:00.0".length), { uuid, mib: Number(memory) || 0 }];
    });
  const divided = migNumbers(knowsMig(world) ? await ask(["-q", "-x"]) : "");
  const parts = migNames(divided.size > 0 ? await ask(["-L"]) : "");
  return { cards: new Map(rows), divided, parts };
}

type Card = ReturnType<typeof cardsOf>[number];

/** The card as it is, or its parts; a divided card whose parts nobody can name is refused. */
function devicesOf(world: GpuWorld, { address, said }: Card, asked: Asked): Device[] {
  const { uuid: answered = "", mib = 0 } = asked.cards.get(address) ?? {};
  const uuid = [said.get("GPU UUID") ?? "", answered].find((one) => uuidPattern.test(one));
  const minor = said.get("Device Minor") ?? "0";
  const control = controlNodes.filter((name) => existsSync(join(world.root, "dev", name)));
  const model = said.get("Model") ?? "";
  const location = said.get("Bus Location") ?? address;
  const mounts = mountsOf(world);
  const deviceOf = (id: string, own: Record<string, string>, size: number, more: string[]) => ({
    id,
    properties: {
      GPU_VENDOR: "nvidia",
      GPU_MODEL: model,
      GPU_PCI_ADDRESS: location,
      ...own,
      ...(size > 0 && { GPU_MEMORY_BYTES: String(size * 2 ** 20) }),
    },
    mounts,
    nodes: [`nvidia${minor}`, ...control, ...more].map((name) => ({
      hostPath: join(world.root, "dev", name),
      containerPath: `/dev/${name}`,
      permissions: "rw",
    })),
  });
  const known = (is: string) => ({ GPU_UUID: is, NVIDIA_VISIBLE_DEVICES: is });
  const whole = deviceOf(uuid ?? `pci-${address}`, uuid === undefined ? {} : known(uuid), mib, []);
  const numbers = asked.divided.get(address);
  const layout = migLayout(world, minor);
  if (!numbers && layout.length === 0) return [whole];
  const parts = migParts(world, { minor, uuid: uuid ?? "" }, numbers ?? [], asked.parts);
  const devices = parts.map((part) => {
    const own = { GPU_MIG_PROFILE: part.profile, ...known(part.uuid) };
    return deviceOf(part.uuid, own, part.mib, part.nodes);
  });
  const count = Math.max(layout.length, numbers?.length ?? 0);
  if (count > 0 && devices.length === count) return devices;
  const refused =
    count === 0
      ? "it is in MIG mode and has no parts that compute"
      : `it is in MIG mode, and of its ${count} parts nvidia-smi and /proc name ${devices.length}`;
  return [{ ...whole, refused }, ...devices];
}

/** A look at the cards, to be repeated. */
export function nvidiaLook(world: GpuWorld, clock: Clock, signal: AbortSignal) {
  const ask = asking(world, clock, signal);
  let askedFor: string | undefined;
  let asked = nothingAsked;
  return async (): Promise<Device[]> => {
    const cards = cardsOf(world);
    if (cards.length === 0) return [];
    const layouts = cards.map(({ address, said }) => [
      address,
      migLayout(world, said.get("Device Minor") ?? "0"),
    ]);
    const now = JSON.stringify([mountsOf(world), layouts]);
    if (now !== askedFor) asked = await askAll(world, ask);
    askedFor = now;
    return cards.flatMap((card) => devicesOf(world, card, asked));
  };
}
