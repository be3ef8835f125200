// The extended resource of one Instance, `akri.sh/CONFIGURATION-DIGEST`: a slot is a device of it.
import type { DeviceAllocation, DevicePlugin } from "./device-plugin.ts";
import type { Claims } from "./claims.ts";
import type { Fresh } from "./fresh.ts";
import type { Device } from "../discovery/handler.ts";
import type { Instance } from "../kinds/instance.ts";
import { Listeners } from "./listeners.ts";
import { placeOf, placeVariable } from "./place.ts";
import { instanceDevices, parseUsage, usageText, variables } from "./slots.ts";

/** Where guests find it who asked for `resource`. */
function placeOfResource(instance: Instance, resource: string | undefined) {
  const place = placeOf(instance.spec.brokerProperties ?? {});
  return place && resource !== undefined ? { [placeVariable(place.bus, resource)]: place.at } : {};
}

/** Of one device as it is now: a path that changed reaches the next container. */
export function allocationOf(
  instance: Instance,
  device: Device | undefined,
  resource?: string,
): DeviceAllocation {
  return {
    envs: { ...placeOfResource(instance, resource), ...variables(instance) },
    mounts: device?.mounts ?? [],
    devices: device?.nodes ?? [],
  };
}

export interface PluginParts {
  node: string;
  claims: Claims;
  deviceOf(instance: string): Device | undefined;
  /** Slots given out just now, of all plugins of a Configuration. */
  fresh: Fresh;
}

export class InstancePlugin implements DevicePlugin {
  readonly resourceName: string;
  readonly #parts: PluginParts;
  readonly #listeners = new Listeners();
  #instance: Instance;

  constructor(resourceName: string, instance: Instance, parts: PluginParts) {
    this.resourceName = resourceName;
    this.#instance = instance;
    this.#parts = parts;
  }

  update(instance: Instance) {
    if (instance === this.#instance) return;
    this.#instance = instance;
    this.#listeners.tell();
  }

  devices() {
    return instanceDevices(this.#instance, this.#parts.node);
  }

  onChange(listener: () => void) {
    return this.#listeners.add(listener);
  }

  allocate(ids: string[]): Promise<DeviceAllocation> {
    return this.#parts.fresh.giving(ids, () => this.#allocate(ids));
  }

  async #allocate(ids: string[]): Promise<DeviceAllocation> {
    const { node, claims, deviceOf } = this.#parts;
    const { name, namespace } = this.#instance.metadata;
    await claims.change(namespace!, name, (own, { spec }) => {
      for (const id of ids) {
        const usage = parseUsage(spec.deviceUsage?.[id]);
        if (usage && (usage.node !== node || usage.virtualDevice !== undefined)) {
          throw new Error(`cannot claim slot ${id}: it is held by ${usageText(usage)}`);
        }
      }
      return { ...own, ...Object.fromEntries(ids.map((id) => [id, node])) };
    });
    return allocationOf(this.#instance, deviceOf(name), this.resourceName);
  }

  /** Every other slot that this node holds through here becomes free. One that was taken from it is taken back. */
  async keepOnly(held: () => string[]) {
    const { node, claims, fresh } = this.#parts;
    let later = false;
    // Asked when it is written: a slot may be given out while the server is asked.
    const stays = ([id, text]: [string, string]) => {
      if (text !== node || held().includes(id)) return true;
      if (!fresh.has(id)) return false;
      return (later = true);
    };
    const { name, namespace } = this.#instance.metadata;
    const own = Object.entries(this.#instance.spec.deviceUsage ?? {});
    const ids = held();
    const lost = ids.filter((id) => !this.#instance.spec.deviceUsage?.[id]);
    const isTrue = own.every(([id, text]) => text !== node || ids.includes(id));
    if (lost.length === 0 && isTrue) return false;
    await claims.change(namespace!, name, (entries, { spec }) => {
      const kept = Object.entries(entries).filter(stays);
      const back = held()
        .filter((id) => lost.includes(id) && !spec.deviceUsage?.[id])
        .map((id) => [id, node]);
      if (back.length === 0 && kept.length === Object.keys(entries).length) return undefined;
      return Object.fromEntries([...kept, ...back]);
    });
    return later;
  }
}
