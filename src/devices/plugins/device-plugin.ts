// An extended resource as this room offers it, whoever the kubelet is.
import type { DeviceMount, DeviceNode } from "../discovery/handler.ts";

export interface PluginDevice {
  id: string;
  healthy: boolean;
}

/** What a container gets with its devices. */
export interface DeviceAllocation {
  envs: Record<string, string>;
  mounts: DeviceMount[];
  devices: DeviceNode[];
}

export interface DevicePlugin {
  /** `akri.sh/camera`. */
  resourceName: string;
  devices(): PluginDevice[];
  /** Returns its stop. */
  onChange(listener: () => void): () => void;
  /** Throws when the devices are not to be had (any more). */
  allocate(ids: string[]): Promise<DeviceAllocation>;
  /** `held` tells all that pods hold then. True when it wants to be told again: what it gave just now it keeps. */
  keepOnly(held: () => string[]): Promise<boolean>;
}

/** The node's kubelet. */
export interface DevicePluginHost {
  /** So long after it was given out the host may not say of a device that a pod holds it. */
  readonly freshMs: number;
  /** Returns its removal; what pods hold they keep. */
  add(plugin: DevicePlugin): () => void;
}
