// The parts of NVIDIA's cards in MIG mode. /proc tells which nodes open a part, nvidia-smi what it is called and how
// much memory it has; a card in that mode computes by its parts alone.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { linesOf, readText } from "./files.ts";
import type { GpuWorld } from "./files.ts";

export interface MigPart {
  uuid: string;
  /** `1g.10gb`. */
  profile: string;
  mib: number;
  /** Below /dev. */
  nodes: string[];
}

interface Numbers {
  index: string;
  gpuInstance: string;
  computeInstance: string;
  mib: number;
}

const capabilities = "proc/driver/nvidia/capabilities";

/** The driver knows of such parts at all. */
export const knowsMig = ({ root }: GpuWorld) => existsSync(join(root, capabilities, "mig"));

const named = (folder: string, pattern: RegExp) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => pattern.test(name))
        .sort()
    : [];

/** The parts of a card that are there now: `gi1/ci0`. */
export function migLayout({ root }: GpuWorld, minor: string): string[] {
  const folder = join(root, capabilities, `gpu${minor}`, "mig");
  return named(folder, /^gi\d+$/).flatMap((gi) =>
    named(join(folder, gi), /^ci\d+$/).map((ci) => `${gi}/${ci}`),
  );
}

/** The files by which parts of a card are opened, and the nodes that belong to them. */
export function migFiles(world: GpuWorld, minor: string): [file: string, node: string][] {
  const layout = migLayout(world, minor);
  const paths = new Set(layout.flatMap((path) => [path.split("/")[0]!, path]));
  return [...paths].flatMap((path): [string, string][] => {
    const within = `gpu${minor}/mig/${path}`;
    const node = nodeOf(world, within);
    return node === undefined ? [] : [[join(world.root, capabilities, within, "access"), node]];
  });
}

/** With a domain of four digits, as /proc has it, or of more where they count; nvidia-smi writes eight. */
export const plainAddress = (bus: string) => bus.toLowerCase().replace(/^0+(?=[0-9a-f]{4,}:)/, "");

function nodeOf({ root }: GpuWorld, path: string): string | undefined {
  const said = linesOf(readText(join(root, capabilities, path, "access")), ":");
  const minor = said.get("DeviceFileMinor");
  return minor === undefined ? undefined : `nvidia-caps/nvidia-cap${minor}`;
}

const within = (text: string, tag: string) =>
  new RegExp(`<${tag}>\\s*(.*?)\\s*</${tag}>`, "s").exec(text)?.[1];

/** `nvidia-smi -q -x`: the parts by the PCI address of their card; only cards in MIG mode are in it. */
export function migNumbers(xml: string): Map<string, Numbers[]> {
  const cards = xml.matchAll(/<gpu id="([^"]+)">(.*?)<\/gpu>/gs);
  return new Map(
    [...cards]
      .filter(([, , text]) => within(text!, "current_mig") === "Enabled")
      .map(([, bus, text]): [string, Numbers[]] => {
        const parts = [...text!.matchAll(/<mig_device>(.*?)<\/mig_device>/gs)].map(([, one]) => ({
          index: within(one!, "index") ?? "",
          gpuInstance: within(one!, "gpu_instance_id") ?? "",
          computeInstance: within(one!, "compute_instance_id") ?? "",
          mib: parseInt(within(within(one!, "fb_memory_usage") ?? "", "total") ?? "", 10) || 0,
        }));
        return [plainAddress(bus!), parts];
      }),
  );
}

/** `nvidia-smi -L`: profile and UUID of each part, by its card's UUID and its index. */
export function migNames(list: string): Map<string, { profile: string; uuid: string }> {
  const names = new Map<string, { profile: string; uuid: string }>();
  let card = "";
  for (const line of list.split("\n")) {
    card = /^GPU \d+:.*\(UUID: (GPU-[0-9a-f-]+)\)/.exec(line)?.[1] ?? card;
    const part = /^\s+MIG (\S+)\s+Device\s+(\d+):\s+\(UUID: (MIG-[^)]+)\)/.exec(line);
    if (part) names.set(`${card} ${part[2]}`, { profile: part[1]!, uuid: part[3]! });
  }
  return names;
}

/** The parts of one card that can be offered; those that lack a name or a node cannot. */
export function migParts(
  world: GpuWorld,
  { minor, uuid }: { minor: string; uuid: string },
  numbers: Numbers[],
  names: ReturnType<typeof migNames>,
): MigPart[] {
  return numbers.flatMap(({ index, gpuInstance, computeInstance, mib }) => {
    const name = names.get(`${uuid} ${index}`);
    const whole = `gpu${minor}/mig/gi${gpuInstance}`;
    const nodes = [whole, `${whole}/ci${computeInstance}`].map((path) => nodeOf(world, path));
    if (!name || !nodes[0] || !nodes[1]) return [];
    return [{ ...name, mib, nodes: nodes as string[] }];
  });
}
