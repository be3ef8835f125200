// One device plugin as the node talks to it (device plugin API v1beta1).
import { GrpcConnection } from "../../lib/grpc.ts";
import type { GrpcService } from "../../lib/grpc.ts";
import type { Device, DeviceGrant } from "./ledger.ts";
import { plugin } from "./protocols.ts";

export interface PluginOptions {
  pre_start_required: boolean;
  get_preferred_allocation_available: boolean;
}

const answerMsMax = 10_000;
/** As the kubelet: a plugin may have to reset a device first. */
const preStartMsMax = 30_000;

export class DevicePlugin {
  readonly resource: string;
  options: PluginOptions;
  readonly #connection: GrpcConnection;
  readonly #service: GrpcService;
  readonly #stop = new AbortController();

  constructor(resource: string, socketPath: string, options: PluginOptions) {
    this.resource = resource;
    this.options = options;
    this.#connection = new GrpcConnection(`unix://${socketPath}`);
    this.#service = this.#connection.service(plugin.path, plugin.types, plugin.names);
  }

  /** For one that did not say how it works when it registered. */
  async askOptions() {
    const options = { timeoutMs: answerMsMax };
    this.options = await this.#service.call("GetDevicePluginOptions", {}, options);
  }

  /** Ends when the plugin has gone, or throws. */
  async follow(told: (devices: Device[]) => void) {
    const { signal } = this.#stop;
    for await (const { devices } of this.#service.stream("ListAndWatch", {}, signal)) told(devices);
  }

  /** Which of `ids` the plugin would give; it must take `must`. */
  async preferred(ids: string[], must: string[], count: number): Promise<string[]> {
    if (!this.options.get_preferred_allocation_available) return [];
    const request = {
      available_deviceIDs: ids,
      must_include_deviceIDs: must,
      allocation_size: count,
    };
    const { container_responses: [answer] = [] } = await this.#service.call(
      "GetPreferredAllocation",
      { container_requests: [request] },
      { timeoutMs: answerMsMax },
    );
    return answer?.deviceIDs ?? [];
  }

  /** As a kubelet, which takes the first where there are several: Akri's agent answers for each device. */
  async allocate(ids: string[]): Promise<DeviceGrant> {
    const { container_responses: [grant] = [] } = await this.#service.call(
      "Allocate",
      { container_requests: [{ devices_ids: ids }] },
      { timeoutMs: answerMsMax },
    );
    if (grant) return grant;
    throw new Error(`no containers return in allocation response for ${this.resource}`);
  }

  async preStart(ids: string[]) {
    if (!this.options.pre_start_required) return;
    const options = { timeoutMs: preStartMsMax };
    await this.#service.call("PreStartContainer", { devices_ids: ids }, options);
  }

  close() {
    this.#stop.abort();
    this.#connection.close();
  }
}
