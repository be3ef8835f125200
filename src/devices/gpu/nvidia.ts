// NVIDIA's cards, by what their driver says in /proc and its library says through nvidia-smi. A card that nobody
// has used yet has no UUID in /proc, and asking the library may take seconds, so it is asked once for what is there. Cards in MIG mode are their parts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Device, DeviceMount } from "../discovery/handler.ts";
import { linesOf, readText } from "./files.ts";
import { Programs } from "./programs.ts";
import type { Asking } from "./programs.ts";
import type { GpuWorld } from "./files.ts";
import {
  knowsMig,
  migFiles,
  migLayout,
  migNames,
  migNumbers,
  migParts,
  plainAddress,
} from "./mig.ts";

/** Before the library is asked again for cards of which it said nothing. */
const retryMs = 60_000;
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
      address: plainAddress(address),
      said: linesOf(readText(join(folder, address, "information")), ":"),
    }))
    .filter(({ said }) => said.get("GPU Excluded") !== "Yes");
}

interface Asked {
  /** By PCI address. */
  cards: Map<string, { uuid: string; mib: number }>;
  /** Those in MIG mode, by PCI address. */
  divided: ReturnType<typeof migNumbers>;
  parts: ReturnType<typeof migNames>;
}

const nothingAsked: Asked = { cards: new Map(), divided: new Map(), parts: new Map() };

const minorOf = ({ said }: Card) => said.get("Device Minor") ?? "0";
const isThere = ({ root }: GpuWorld, name: string) => existsSync(join(root, "dev", name));

/** Nodes are there only once somebody has computed, or asked for them. */
async function askForNodes(world: GpuWorld, cards: Card[], ask: Asking) {
  const missing = cards.map(minorOf).filter((minor) => !isThere(world, `nvidia${minor}`));
  if (missing.length === 0 && isThere(world, "nvidia-uvm")) return;
  const minors = new Set(["0", ...missing]);
  await ask([...[...minors].flatMap((minor) => ["-c", minor]), "-u"], "nvidia-modprobe");
}

async function askAll(world: GpuWorld, cards: Card[], ask: Asking): Promise<Asked> {
  await askForNodes(world, cards, ask);
  const query = ["--query-gpu=pci.bus_id,uuid,memory.total", "--format=csv,noheader,nounits"];
  const rows = (await ask(query))
    .split("\n")
    .map((row): [string, { uuid: string; mib: number }] => {
      const [bus = "", uuid = "", memory = ""] = row.split(",").map((part) => part.trim());
      return [plainAddress(bus), { uuid, mib: Number(memory) || 0 }];
    });
  const divided = migNumbers(knowsMig(world) ? await ask(["-q", "-x"]) : "");
  const parts = migNames(divided.size > 0 ? await ask(["-L"]) : "");
  for (const card of cards) {
    for (const [file, node] of migFiles(world, minorOf(card))) {
      if (!isThere(world, node)) await ask(["-f", file], "nvidia-modprobe");
    }
  }
  return { cards: new Map(rows), divided, parts };
}

type Card = ReturnType<typeof cardsOf>[number];

interface Known {
  asked: Asked;
  isLate: boolean;
}

/** A container does not start with a node that is not there. */
function refusedFor(world: GpuWorld, nodes: string[]): { refused?: string } {
  const missing = nodes.find((name) => !isThere(world, name));
  return missing === undefined ? {} : { refused: `/dev/${missing} is not there` };
}

/** The card as it is, or its parts; a divided card whose parts nobody can name is refused. */
function devicesOf(world: GpuWorld, card: Card, { asked, isLate }: Known): Device[] {
  const { address, said } = card;
  const { uuid: answered = "", mib = 0 } = asked.cards.get(address) ?? {};
  const uuid = [said.get("GPU UUID") ?? "", answered].find((one) => uuidPattern.test(one));
  const minor = minorOf(card);
  const control = controlNodes.filter((name) => isThere(world, name));
  const model = said.get("Model") ?? "";
  const location = said.get("Bus Location") ?? address;
  const mounts = mountsOf(world);
  const deviceOf = (id: string, own: Record<string, string>, size: number, more: string[]) => ({
    id,
    ...refusedFor(world, [`nvidia${minor}`, ...more]),
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
  if (uuid === undefined && isLate) {
    const refused = "nvidia-smi does not answer, and nobody else knows its UUID";
    return [{ ...deviceOf(`pci-${address}`, {}, mib, []), refused }];
  }
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
  const programs = new Programs(world, clock, signal);
  let askedFor: string | undefined;
  let asked = nothingAsked;
  let askAgainAt = Infinity;
  return async (): Promise<Device[]> => {
    const cards = cardsOf(world);
    if (cards.length === 0) return [];
    const layouts = cards.map((card) => [
      card.address,
      isThere(world, `nvidia${minorOf(card)}`),
      migLayout(world, minorOf(card)),
    ]);
    const now = JSON.stringify([mountsOf(world), layouts]);
    if (now !== askedFor || clock.monotonic() >= askAgainAt) {
      asked = await askAll(world, cards, programs.ask);
      const isWhole = cards.every(({ address }) => asked.cards.has(address));
      askAgainAt = isWhole ? Infinity : clock.monotonic() + retryMs;
    }
    askedFor = now;
    return cards.flatMap((card) => devicesOf(world, card, { asked, isLate: programs.isLate }));
  };
}
