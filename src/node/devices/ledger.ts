// Who has which devices. Devices are told by plugins; what containers got is kept on disk, since a plugin does
// not remember and a container that starts again must get the same. Pure but for being changed.
import type { Pod } from "../pods/pod.ts";

/** What a plugin wants a container to have (ContainerAllocateResponse of the device plugin API). */
export interface DeviceGrant {
  envs: Record<string, string>;
  mounts: { container_path: string; host_path: string; read_only: boolean }[];
  devices: { container_path: string; host_path: string; permissions: string }[];
  annotations: Record<string, string>;
  cdi_devices: { name: string }[];
}

export interface Allocation {
  podUid: string;
  container: string;
  resource: string;
  ids: string[];
  grant: DeviceGrant;
}

export interface Device {
  ID: string;
  health: string;
  topology?: { nodes: { ID: number }[] } | null;
}

export type Health = "Healthy" | "Unhealthy" | "Unknown";

/** An entry of a container's `allocatedResourcesStatus`. */
export interface ResourceHealth {
  name: string;
  resources: { resourceID: string; health: Health; message?: string }[];
}

/** As it lies on disk. */
export interface Checkpoint {
  resources: string[];
  allocations: Allocation[];
}

/** A pod cannot have what it asks for. */
export class NoDevices extends Error {
  /** Pods that are going have what is missing. */
  readonly isSoon: boolean;

  constructor(message: string, isSoon = false) {
    super(message);
    this.isSoon = isSoon;
  }
}

const isHealthy = ({ health }: Device) => health === "Healthy";

export class DeviceLedger {
  /** Resource to its devices by id; empty for one whose plugin has not come back yet. */
  readonly devices = new Map<string, Map<string, Device>>();
  allocations: Allocation[] = [];

  /** Remembered from before, while their plugins have not come back. */
  readonly #untold: Set<string>;

  constructor(checkpoint?: Checkpoint) {
    for (const resource of checkpoint?.resources ?? []) this.devices.set(resource, new Map());
    this.#untold = new Set(this.devices.keys());
    this.allocations = checkpoint?.allocations ?? [];
  }

  checkpoint(): Checkpoint {
    return { resources: [...this.devices.keys()].sort(), allocations: this.allocations };
  }

  set(resource: string, devices: Device[]) {
    this.#untold.delete(resource);
    this.devices.set(resource, new Map(devices.map((device) => [device.ID, device])));
  }

  /** The plugin has gone: its devices are there, and nobody can tell whether they work. */
  doubt(resource: string) {
    if (this.#untold.has(resource)) return;
    const devices = [...(this.devices.get(resource)?.values() ?? [])];
    this.set(
      resource,
      devices.map((device) => ({ ...device, health: "Unhealthy" })),
    );
  }

  /** For the node's status. */
  amounts(): { capacity: Record<string, string>; allocatable: Record<string, string> } {
    const all = [...this.devices].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      capacity: Object.fromEntries(all.map(([name, { size }]) => [name, String(size)])),
      allocatable: Object.fromEntries(
        all.map(([name, devices]) => [
          name,
          String([...devices.values()].filter(isHealthy).length),
        ]),
      ),
    };
  }

  of(podUid: string, container: string): Allocation[] {
    return this.allocations.filter((one) => one.podUid === podUid && one.container === container);
  }

  /** How what a container has is, for its status; a device that is told of no more is unhealthy. */
  healthOf(podUid: string, container: string): ResourceHealth[] {
    return this.of(podUid, container).map(({ resource, ids }) => {
      const all = this.devices.get(resource);
      const told = (id: string): Health => {
        if (!all || this.#untold.has(resource)) return "Unknown";
        return all.get(id)?.health === "Healthy" ? "Healthy" : "Unhealthy";
      };
      const resources = ids.toSorted().map((id) => ({ resourceID: id, health: told(id) }));
      return { name: resource, resources };
    });
  }

  /** Forgets all pods but these; true when there were others. */
  keep(podUids: ReadonlySet<string>): boolean {
    const before = this.allocations.length;
    this.allocations = this.allocations.filter(({ podUid }) => podUids.has(podUid));
    return this.allocations.length < before;
  }

  forget(podUid: string) {
    this.allocations = this.allocations.filter((one) => one.podUid !== podUid);
  }

  /**
   * The ids to choose from for a container, those it must have first. A container takes over what init
   * containers of its pod had before it. `leaving`: the pods that will give back what they have in a moment.
   */
  available(
    pod: Pod,
    resource: string,
    count: number,
    leaving: ReadonlySet<string> = new Set(),
  ): { ids: string[]; must: string[] } {
    const { uid } = pod.metadata;
    const before = (pod.spec.initContainers ?? [])
      .filter(({ restartPolicy }) => restartPolicy !== "Always")
      .map(({ name }) => name);
    const own = this.allocations.filter((one) => one.resource === resource);
    const isBefore = (one: Allocation) => one.podUid === uid && before.includes(one.container);
    const held = new Set(own.filter((one) => !isBefore(one)).flatMap(({ ids }) => ids));
    const reusable = new Set(own.filter(isBefore).flatMap(({ ids }) => ids));
    const healthy = [...(this.devices.get(resource)?.values() ?? [])].filter(isHealthy);
    if (healthy.length === 0) {
      throw new NoDevices(
        `no healthy devices present; cannot allocate unhealthy devices ${resource}`,
      );
    }
    const free = healthy.map(({ ID }) => ID).filter((id) => !held.has(id));
    if (free.length < count) {
      const numbers = `Requested: ${count}, Available: ${free.length}`;
      const returning = own.filter(({ podUid }) => leaving.has(podUid)).flatMap(({ ids }) => ids);
      const soon = healthy.filter(({ ID }) => returning.includes(ID)).length;
      const message = `requested number of devices unavailable for ${resource}. ${numbers}`;
      throw new NoDevices(message, free.length + soon >= count);
    }
    const must = free
      .filter((id) => reusable.has(id))
      .sort()
      .slice(0, count);
    const rest = free.filter((id) => !reusable.has(id)).sort();
    return { ids: [...must, ...rest], must };
  }
}
