// Who holds which slot of a device, as Akri writes it into `deviceUsage`. Pure.
import type { PluginDevice } from "./device-plugin.ts";
import type { Instance } from "../kinds/instance.ts";

/** Begins who holds a slot for a claim, where otherwise a virtual device is named. */
export const claimPrefix = "dra.";

export const isClaimed = (virtualDevice: string | undefined) =>
  virtualDevice?.startsWith(claimPrefix) === true;

export interface Usage {
  node: string;
  /** Set when the slot is held through the Configuration's resource. */
  virtualDevice?: string;
}

/** Undefined for a free slot. */
export function parseUsage(text: string | undefined): Usage | undefined {
  if (!text) return undefined;
  if (!text.startsWith("C:")) return { node: text };
  const end = text.lastIndexOf(":");
  return { virtualDevice: text.slice(2, end), node: text.slice(end + 1) };
}

export const usageText = ({ node, virtualDevice }: Usage) =>
  virtualDevice === undefined ? node : `C:${virtualDevice}:${node}`;

export const slotName = (of: string, slot: number) => `${of}-${slot}`;

export const slotsOf = ({ metadata, spec }: Instance): string[] =>
  Array.from({ length: spec.capacity }, (_, slot) => slotName(metadata.name, slot));

/** The devices of an Instance's own resource: all its slots, healthy where `node` may take or has them. */
export function instanceDevices(instance: Instance, node: string): PluginDevice[] {
  return slotsOf(instance).map((id) => {
    const usage = parseUsage(instance.spec.deviceUsage?.[id]);
    return { id, healthy: !usage || (usage.node === node && usage.virtualDevice === undefined) };
  });
}

/** Virtual device to the Instance it stands for now, and whether it is taken by this node. */
export type VirtualDevices = Map<string, { instance: string; taken: boolean }>;

/**
 * The devices of a Configuration's resource: what this node holds, and one more of every Instance that has a
 * free slot, so that whoever asks for two gets two devices. A free one keeps its id from time to time.
 */
export function virtualDevices(
  configuration: string,
  instances: Instance[],
  { node, before }: { node: string; before?: VirtualDevices },
): VirtualDevices {
  const devices: VirtualDevices = new Map();
  const withFree: string[] = [];
  for (const instance of instances) {
    const usages = slotsOf(instance).map((id) => parseUsage(instance.spec.deviceUsage?.[id]));
    for (const usage of usages) {
      if (usage?.node !== node || usage.virtualDevice === undefined) continue;
      if (isClaimed(usage.virtualDevice)) continue;
      devices.set(usage.virtualDevice, { instance: instance.metadata.name, taken: true });
    }
    if (usages.some((usage) => !usage)) withFree.push(instance.metadata.name);
  }
  const last = new Map<string, string>();
  for (const [id, { instance, taken }] of before ?? []) if (!taken) last.set(instance, id);
  const waiting = withFree.filter((instance) => {
    const id = last.get(instance);
    if (id === undefined || devices.has(id)) return true;
    devices.set(id, { instance, taken: false });
    return false;
  });
  let next = 0;
  for (const instance of waiting) {
    while (devices.has(slotName(configuration, next))) next += 1;
    devices.set(slotName(configuration, next), { instance, taken: false });
  }
  return devices;
}

/** A device's properties, each also with the device's digest, so that several do not hide each other. */
export function variables({ metadata, spec }: Instance): Record<string, string> {
  const suffix = metadata.name.slice(-6).toUpperCase();
  const envs: Record<string, string> = {};
  for (const [name, value] of Object.entries(spec.brokerProperties ?? {})) {
    envs[name] = value;
    envs[`${name}_${suffix}`] = value;
  }
  return envs;
}
