// The extended resource of a Configuration, `akri.sh/CONFIGURATION`: any of its devices will do.
import type { DeviceAllocation, DevicePlugin } from "../lib/device-plugin.ts";
import { resourceName } from "./brokers/names.ts";
import { allocationOf } from "./instance-plugin.ts";
import type { PluginParts } from "./instance-plugin.ts";
import type { Instance } from "./kinds/instance.ts";
import { Listeners } from "./listeners.ts";
import { parseUsage, slotsOf, usageText, virtualDevices } from "./slots.ts";
import type { VirtualDevices } from "./slots.ts";

export class ConfigurationPlugin implements DevicePlugin {
  readonly resourceName: string;
  readonly #name: string;
  readonly #parts: PluginParts;
  readonly #listeners = new Listeners();
  #instances: Instance[] = [];
  #virtual: VirtualDevices = new Map();

  constructor(configuration: string, parts: PluginParts) {
    this.#name = configuration;
    this.resourceName = resourceName(configuration);
    this.#parts = parts;
  }

  update(instances: Instance[]) {
    const { node } = this.#parts;
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
      const { envs, mounts, devices } = await this.#allocateOne(id);
      Object.assign(all.envs, envs);
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
    return allocationOf(instance, deviceOf(name));
  }

  /** `ids` is all that pods hold; every other slot that this node holds through here becomes free. */
  async keepOnly(ids: string[]) {
    const held = new Set(ids);
    for (const { metadata } of this.#instances) {
      await this.#parts.claims.change(metadata.namespace!, metadata.name, (own) => {
        const kept = Object.entries(own).filter(([, text]) => {
          const virtual = parseUsage(text)?.virtualDevice;
          return virtual === undefined || held.has(virtual);
        });
        return kept.length === Object.keys(own).length ? undefined : Object.fromEntries(kept);
      });
    }
  }
}
