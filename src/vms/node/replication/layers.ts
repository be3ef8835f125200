// A disk with several copies. QEMU mirrors a block node once, and only one that a device has: so from the second on
// each mirror has a layer of its own, above the one before, and the device is moved up to it. A layer is a raw node,
// which changes nothing. Once its mirror is gone, so is the layer.
import { StatusError } from "../../../lib/status-error.ts";
import { blockNode, diskDevice } from "../../qemu/disk-arguments.ts";
import type { Vm } from "../vm.ts";

/** The filter by which QEMU mirrors to the copy on a node. */
export const mirrorNode = (volume: string, node: string) =>
  blockNode(`mirror of ${volume} on ${node}`);
const layerNode = (volume: string, i: number) => blockNode(`layer ${i} of ${volume}`);

/** More than there are copies. */
const layersMax = 8;

interface Graph {
  nodes: { id: number; name: string }[];
  edges: { parent: number; child: number; name: string }[];
}

/** How QEMU calls the device of a disk, and what is below it: from what the device has down to the disk itself. */
async function chainOf(vm: Vm, volume: string): Promise<{ path: string; nodes: string[] }> {
  const devices: any[] = await vm.qmp.execute("query-block");
  const id = diskDevice(volume);
  const here = `/machine/peripheral/${id}`;
  const known = ({ qdev = "" }: any) => qdev === id || qdev === here || qdev.startsWith(`${here}/`);
  const device = devices.find(known);
  if (!device) throw new StatusError("NotFound", `there is no disk ${volume}`);
  const graph: Graph = await vm.qmp.execute("x-debug-query-block-graph");
  const below = (name: string) => {
    const from = graph.nodes.find((one) => one.name === name)?.id;
    const isBelow = (edge: Graph["edges"][number]) =>
      edge.parent === from && ["file", "backing"].includes(edge.name);
    const to = graph.edges.find(isBelow)?.child;
    return graph.nodes.find((one) => one.id === to)?.name;
  };
  const nodes: string[] = [device.inserted["node-name"]];
  while (nodes.at(-1) !== blockNode(volume)) {
    const next = below(nodes.at(-1)!);
    if (!next) throw new StatusError("InternalError", `the layers of ${volume} are not known`);
    nodes.push(next);
  }
  return { path: device.qdev.startsWith("/") ? device.qdev : here, nodes };
}

const setTop = (vm: Vm, path: string, value: string) =>
  vm.qmp.execute("qom-set", { path, property: "drive", value });

const layer = (name: string, file: string) => ({ driver: "raw", "node-name": name, file });

/** The node that takes the next mirror. */
export async function freeNode(vm: Vm, volume: string): Promise<string> {
  const { path, nodes } = await chainOf(vm, volume);
  const names = Array.from({ length: layersMax }, (_, i) => layerNode(volume, i));
  const [top] = nodes as [string];
  if (top === blockNode(volume) || names.includes(top)) return top;
  const name = names.find((one) => !nodes.includes(one))!;
  await vm.qmp.execute("blockdev-add", layer(name, top));
  await setTop(vm, path, name);
  return name;
}

/** Takes away the layers that carry no mirror. */
export async function dropLayers(vm: Vm, volume: string) {
  const { path, nodes } = await chainOf(vm, volume);
  const layers = new Set(Array.from({ length: layersMax }, (_, i) => layerNode(volume, i)));
  let above: string | undefined;
  for (const [i, name] of nodes.entries()) {
    const isIdle = layers.has(name) && (above === undefined || layers.has(above));
    if (!isIdle) {
      above = name;
      continue;
    }
    const below = nodes[i + 1]!;
    if (above === undefined) await setTop(vm, path, below);
    else await vm.qmp.execute("blockdev-reopen", { options: [layer(above, below)] });
    await vm.qmp.execute("blockdev-del", { "node-name": name });
  }
}
