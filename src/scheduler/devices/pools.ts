// Devices that drivers offer in ResourceSlices (resource.k8s.io/v1), as far as a node can use them.
import type { KubeObject } from "../../kinds/object.ts";
import { matchesTerms } from "../../lib/node-selector.ts";
import type { NodeSelectorTerm, SelectableNode } from "../../lib/node-selector.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { Taint } from "../../lib/taint.ts";
import type { Capacity } from "./capacity.ts";

/** One of `bool`, `int`, `string`, `version`, as in a slice. */
export type Attribute = Record<string, unknown>;

export interface Device {
  /** As the slice has it, for expressions. */
  offered: {
    driver: string;
    attributes?: Record<string, any>;
    capacity?: Record<string, any>;
    allowMultipleAllocations?: boolean;
  };
  /** `driver/pool/device`, unique in the cluster. */
  id: string;
  driver: string;
  pool: string;
  name: string;
  /** By qualified name; a name without a domain is its driver's. */
  attributes: Map<string, Attribute>;
  /** By qualified name. */
  capacities: Map<string, Capacity>;
  /** Several allocations may have it at once, as far as its capacities go. */
  isShared: boolean;
  taints: Taint[];
  /** What it takes of counters that it shares with others, by `driver/pool/set/counter`. */
  consumes: Map<string, number>;
  /** Where else it can be used; absent for everywhere. */
  nodes?: NodeSelectorTerm[];
}

export interface Offer {
  devices: Device[];
  /** Pools of which slices are missing just now, by `driver/pool`. */
  incomplete: Set<string>;
  /** How much there is of each shared counter. */
  counters: Map<string, number>;
}

export const qualified = (name: string, driver: string) =>
  name.includes("/") ? name : `${driver}/${name}`;

const only = (name: string): NodeSelectorTerm[] => [
  { matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] },
];

/** Where a slice or a device of it is usable: terms, or everywhere; undefined when it does not say. */
function placeOf(said: any): NodeSelectorTerm[] | "everywhere" | undefined {
  if (said.nodeName) return only(said.nodeName);
  if (said.allNodes) return "everywhere";
  return said.nodeSelector?.nodeSelectorTerms;
}

function deviceOf(device: any, slice: KubeObject): Device | undefined {
  const { driver, pool, perDeviceNodeSelection } = slice.spec;
  const place = placeOf(perDeviceNodeSelection ? device : slice.spec);
  if (!place) return undefined;
  const byName = <T>(named: Record<string, any> = {}, read: (value: any) => T) =>
    new Map(Object.entries(named).map(([name, value]) => [qualified(name, driver), read(value)]));
  const consumes = new Map<string, number>();
  for (const { counterSet, counters } of device.consumesCounters ?? []) {
    for (const [counter, { value }] of Object.entries<any>(counters)) {
      consumes.set(`${driver}/${pool.name}/${counterSet}/${counter}`, parseQuantity(value));
    }
  }
  const { attributes, capacity, allowMultipleAllocations } = device;
  const capacities = Object.entries<Omit<Capacity, "name">>(capacity ?? {}).map(
    ([name, about]): [string, Capacity] => [qualified(name, driver), { name, ...about }],
  );
  return {
    offered: { driver, attributes, capacity, allowMultipleAllocations },
    id: `${driver}/${pool.name}/${device.name}`,
    driver,
    pool: pool.name,
    name: device.name,
    attributes: byName(attributes, (value) => value as Attribute),
    capacities: new Map(capacities),
    isShared: allowMultipleAllocations === true,
    taints: device.taints ?? [],
    consumes,
    ...(place !== "everywhere" && { nodes: place }),
  };
}

/** Slices by pool, of each pool's newest generation only. */
function poolsOf(slices: KubeObject[]): Map<string, KubeObject[]> {
  const pools = new Map<string, KubeObject[]>();
  for (const slice of slices) {
    const id = `${slice.spec.driver}/${slice.spec.pool.name}`;
    const known = pools.get(id);
    const newest = known?.[0]!.spec.pool.generation ?? -1;
    const { generation } = slice.spec.pool;
    if (!known || generation > newest) pools.set(id, [slice]);
    else if (generation === newest) known.push(slice);
  }
  return pools;
}

/** Everything that is offered. Pure. */
export function offerOf(slices: KubeObject[]): Offer {
  const offer: Offer = { devices: [], incomplete: new Set(), counters: new Map() };
  for (const [id, pool] of poolsOf(slices)) {
    if (pool.length !== pool[0]!.spec.pool.resourceSliceCount) offer.incomplete.add(id);
    for (const slice of pool) {
      for (const { name, counters } of slice.spec.sharedCounters ?? []) {
        for (const [counter, { value }] of Object.entries<any>(counters)) {
          offer.counters.set(`${id}/${name}/${counter}`, parseQuantity(value));
        }
      }
      for (const device of slice.spec.devices ?? []) {
        const known = deviceOf(device, slice);
        if (known) offer.devices.push(known);
      }
    }
  }
  return offer;
}

/** The part of an offer that `node` can use. */
export const usableOn = ({ devices }: Offer, node: SelectableNode): Device[] =>
  devices.filter(({ nodes }) => !nodes || matchesTerms(nodes, node));
