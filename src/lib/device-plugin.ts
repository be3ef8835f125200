// A device plugin as the node's agent sees it, whether it lives in this process or behind a socket.

export interface PluginDevice {
  id: string;
  healthy: boolean;
}

/** What a container gets with its devices. */
export interface DeviceAllocation {
  envs: Record<string, string>;
  mounts: { containerPath: string; hostPath: string; readOnly: boolean }[];
  devices: { containerPath: string; hostPath: string; permissions: string }[];
}

export interface DevicePlugin {
  /** An extended resource, `akri.sh/camera`. */
  resourceName: string;
  devices(): PluginDevice[];
  /** Returns its stop. */
  onChange(listener: () => void): () => void;
  /** Throws when the devices are not to be had (any more). */
  allocate(ids: string[]): Promise<DeviceAllocation>;
  /** `ids` are all that pods hold now; told whenever a pod gave some back, and once at first. */
  keepOnly?(ids: string[]): Promise<void>;
}

/** The node's agent. */
export interface DevicePluginHost {
  /** Returns its removal; what pods hold they keep. */
  add(plugin: DevicePlugin): () => void;
}
