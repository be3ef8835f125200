// The extended resource of a Configuration, `akri.sh/CONFIGURATION`: any of its devices will do.
import type { DeviceAllocation, DevicePlugin } from "./device-plugin.ts";
import { resourceName } from "../brokers/names.ts";
import { allocationOf } from "./instance-plugin.ts";
import type { PluginParts } from "./instance-plugin.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import { Listeners } from "./listeners.ts";
import { isClaimed, parseUsage, slotsOf, usageText, virtualDevices } from "./slots.ts";
import type { VirtualDevices } from "./slots.ts";

/** Which cards a container may see, and where devices of guests lie, is one variable for all of them. */
const listed = /_VISIBLE_DEVICES$|^(USB|PCI)_RESOURCE_/;

function joined(before: Record<string, string>, more: Record<string, string>) {
  const both = Object.entries(more).filter(([name]) => listed.test(name));
  return Object.fromEntries(
    both.map(([name, value]) => [name, before[name] ? `${before[name]},${value}` : value]),
  );
}

export class ConfigurationPlugin implements DevicePlugin {
  readonly resourceName: string;
  readonly #name: string;
  readonly #parts: PluginParts;
  readonly #listeners = new Listeners();
  #instances: Instance[] = [];
  #virtual: VirtualDevices = new Map();

  constructor(configuration: Configuration, parts: PluginParts) {
    this.#name = configuration.metadata.name;
    this.resourceName = resourceName(configuration, configuration);
    this.#parts = parts;
  }

  update(instances: Instance[]) {
    const { node } = this.#parts;
    const before = this.#instances;
    const { length } = instances;
    if (before.length === length && instances.every((one, i) => one === before[i])) return;
    this.#instances = instances;
    this.#virtual = virtualDevices(this.#name, instances, { node, before: this.#virtual });
    this.#listeners.tell();
  }

  devices() {
    return [...this.#virtual.keys()].map((id) => ({ id, healthy: true }));
  }

  onChange(listener: () => void) {
    return this.#listeners.add(listener);
  }

  async allocate(ids: string[]): Promise<DeviceAllocation> {
    const all: DeviceAllocation = { envs: {}, mounts: [], devices: [] };
    for (const id of ids) {
      const give = () => this.#allocateOne(id);
      const { envs, mounts, devices } = await this.#parts.fresh.giving([id], give);
      all.envs = { ...all.envs, ...envs, ...joined(all.envs, envs) };
      all.mounts.push(...mounts);
      all.devices.push(...devices);
    }
    return all;
  }

  async #allocateOne(id: string) {
    const { node, claims, deviceOf } = this.#parts;
    const virtual = this.#virtual.get(id);
    const instance = this.#instances.find(({ metadata }) => metadata.name === virtual?.instance);
    if (!instance) throw new Error(`cannot claim ${id}: no device stands behind it any more`);
    const { name, namespace } = instance.metadata;
    await claims.change(namespace!, name, (own, now) => {
      const mine = usageText({ node, virtualDevice: id });
      if (Object.values(own).includes(mine)) return undefined;
      const free = slotsOf(now).find((slot) => !parseUsage(now.spec.deviceUsage?.[slot]));
      if (!free) throw new Error(`cannot claim ${id}: all slots of ${name} are held`);
      return { ...own, [free]: mine };
    });
    return allocationOf(instance, deviceOf(name), this.resourceName);
  }

  /** Every other slot that this node holds through here becomes free. */
  async keepOnly(held: () => string[]) {
    const { fresh, claims, node } = this.#parts;
    let later = false;
    // Asked when it is written: a slot may be given out while the server is asked.
    const stays = ([, text]: [string, string]) => {
      const id = parseUsage(text)?.virtualDevice;
      if (id === undefined || isClaimed(id) || held().includes(id)) return true;
      if (!fresh.has(id)) return false;
      return (later = true);
    };
    for (const { metadata, spec } of this.#instances) {
      const mine = Object.values(spec.deviceUsage ?? {}).map(parseUsage);
      const gone = mine.some((usage) => {
        const id = usage?.virtualDevice;
        return usage?.node === node && id && !isClaimed(id) && !held().includes(id);
      });
      if (!gone) continue;
      await claims.change(metadata.namespace!, metadata.name, (entries) => {
        const kept = Object.entries(entries).filter(stays);
        if (kept.length === Object.keys(entries).length) return undefined;
        return Object.fromEntries(kept);
      });
    }
    return later;
  }
}
