// What a pod asks of its node, as the scheduler and the kubelet both count it: the larger of its
// containers together and any moment of its initialization, where a sidecar (an init container with
// restartPolicy Always) keeps its share from its start on; pod-level resources override; overhead
// is added last. CPU is in milli-CPU, everything else in its own unit (bytes, pieces).
import { parseQuantity } from "./quantity.ts";

export type Amounts = Map<string, number>;

interface Container {
  restartPolicy?: string;
  resources?: { requests?: Record<string, string | number> };
}

export interface RequestingPodSpec {
  containers?: Container[];
  initContainers?: Container[];
  overhead?: Record<string, string | number>;
  resources?: { requests?: Record<string, string | number> };
}

/**
 * An amount of `resource` as a number: milli-CPU for "cpu". Fractions round up, as upstream, but for
 * what binary fractions add (70m is 0.07, and 0.07 times 1000 is a little more than 70).
 */
export function amountOf(resource: string, quantity: string | number): number {
  const value = parseQuantity(quantity);
  return Math.ceil(resource === "cpu" ? Math.round(value * 1e9) / 1e6 : value);
}

export function amounts(list: Record<string, string | number> | undefined): Amounts {
  const result: Amounts = new Map();
  for (const name in list) result.set(name, amountOf(name, list[name]!));
  return result;
}

function add(into: Amounts, from: Amounts) {
  for (const [name, amount] of from) into.set(name, (into.get(name) ?? 0) + amount);
}

function raise(into: Amounts, from: Amounts) {
  for (const [name, amount] of from) {
    if (amount > (into.get(name) ?? 0)) into.set(name, amount);
  }
}

/** Pod-level resources may be set for these (KEP-2837), besides huge pages. */
const podLevel = (name: string) =>
  name === "cpu" || name === "memory" || name.startsWith("hugepages-");

/**
 * `adjust` may fill in what a container does not ask for (the scheduler's scores assume a little);
 * it gets the container's own amounts and may change them.
 */
export function podRequests(spec: RequestingPodSpec, adjust?: (own: Amounts) => void): Amounts {
  const own = (container: Container) => {
    const result = amounts(container.resources?.requests);
    adjust?.(result);
    return result;
  };
  const total: Amounts = new Map();
  for (const container of spec.containers ?? []) add(total, own(container));
  const sidecars: Amounts = new Map();
  const initial: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const asked = own(container);
    if (container.restartPolicy === "Always") {
      add(total, asked);
      add(sidecars, asked);
      raise(initial, sidecars);
    } else {
      add(asked, sidecars);
      raise(initial, asked);
    }
  }
  raise(total, initial);
  for (const [name, amount] of amounts(spec.resources?.requests)) {
    if (podLevel(name)) total.set(name, amount);
  }
  add(total, amounts(spec.overhead));
  return total;
}
