// The devices of one resource, as the node's device manager asks for them.
import { placeVariable } from "../../host-devices.ts";
import type { OfferedDevice } from "./offer.ts";

interface Allocation {
  envs: Record<string, string>;
  mounts: { containerPath: string; hostPath: string; readOnly: boolean }[];
  devices: { containerPath: string; hostPath: string; permissions: string }[];
}

/** As the node knows what brings devices to it. */
export interface HostPlugin {
  resourceName: string;
  devices(): { id: string; healthy: boolean }[];
  onChange(listener: () => void): () => void;
  allocate(ids: string[]): Promise<Allocation>;
  keepOnly(held: () => string[]): Promise<boolean>;
}

/** The node's side; returns the plugin's removal. */
export interface PluginHost {
  add(plugin: HostPlugin): () => void;
}

const same = (one: OfferedDevice, other: OfferedDevice) =>
  one.id === other.id && one.nodes.join() === other.nodes.join();

export class PassthroughPlugin implements HostPlugin {
  readonly resourceName: string;
  readonly #listeners = new Set<() => void>();
  #offered: OfferedDevice[] = [];
  /** Ids that pods have. */
  #held: string[] = [];

  constructor(resourceName: string) {
    this.resourceName = resourceName;
  }

  update(offered: OfferedDevice[]) {
    const before = this.#offered;
    this.#offered = offered;
    const isSame =
      before.length === offered.length && before.every((one, i) => same(one, offered[i]!));
    if (!isSame) this.#tell();
  }

  /** A device that went while a pod has it is told of until the pod has gone, too. */
  devices() {
    const lost = this.#held.filter((id) => !this.#offered.some((one) => one.id === id));
    return [
      ...this.#offered.map(({ id }) => ({ id, healthy: true })),
      ...lost.map((id) => ({ id, healthy: false })),
    ];
  }

  onChange(listener: () => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async allocate(ids: string[]): Promise<Allocation> {
    const chosen = ids.map((id) => {
      const device = this.#offered.find((one) => one.id === id);
      if (!device) throw new Error(`${id} has left the machine`);
      return device;
    });
    const envs: Record<string, string> = {};
    for (const { kind, places } of chosen) {
      const name = placeVariable(kind, this.resourceName);
      envs[name] = [...(envs[name]?.split(",") ?? []), ...places].join(",");
    }
    const paths = [...new Set(chosen.flatMap(({ nodes }) => nodes))];
    const devices = paths.map((path) => ({
      ...{ containerPath: path, hostPath: path },
      permissions: "mrw",
    }));
    return { envs, mounts: [], devices };
  }

  async keepOnly(held: () => string[]) {
    const before = JSON.stringify(this.devices());
    this.#held = held();
    if (JSON.stringify(this.devices()) !== before) this.#tell();
    return false;
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
