// A plugin of this process, as the node talks to plugins.
import type { Device, DeviceGrant } from "./ledger.ts";
import type { LocalPlugin } from "./local-plugins.ts";

const pathsOf = ({ containerPath, hostPath }: { containerPath: string; hostPath: string }) => ({
  container_path: containerPath,
  host_path: hostPath,
});

export class LocalDevicePlugin {
  readonly resource: string;
  readonly source: LocalPlugin;
  readonly #ended = Promise.withResolvers<void>();

  constructor(source: LocalPlugin) {
    this.source = source;
    this.resource = source.resourceName;
  }

  /** Ends when the plugin has gone. */
  async follow(told: (devices: Device[]) => void) {
    let last = "";
    const tell = () => {
      const devices = this.source.devices().map(({ id, healthy }) => ({
        ID: id,
        health: healthy ? "Healthy" : "Unhealthy",
      }));
      const text = JSON.stringify(devices);
      if (text !== last) told(devices);
      last = text;
    };
    const stop = this.source.onChange(tell);
    tell();
    await this.#ended.promise;
    stop();
  }

  async preferred(): Promise<string[]> {
    return [];
  }

  async allocate(ids: string[]): Promise<DeviceGrant> {
    const { envs, mounts, devices } = await this.source.allocate(ids);
    return {
      envs,
      mounts: mounts.map((one) => ({ ...pathsOf(one), read_only: one.readOnly })),
      devices: devices.map((one) => ({ ...pathsOf(one), permissions: one.permissions })),
      annotations: {},
      cdi_devices: [],
    };
  }

  async preStart() {}

  close() {
    this.#ended.resolve();
  }
}
