// Offers devices to whatever kubelet is on this machine, Kerb's or another's, by the device plugin API: a
// socket per resource in the kubelet's folder. Which devices pods hold it learns from PodResources.
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener, GrpcMethod } from "../../lib/grpc-server.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { lister, plugin as pluginApi, registration } from "../../node/devices/protocols.ts";
import type { DevicePlugin, DevicePluginHost } from "./device-plugin.ts";
import { Signal } from "../../lib/signal.ts";
import { watchFolders } from "../../lib/watch-folder.ts";

export interface KubeletHostOptions {
  /** `/var/lib/kubelet`. */
  kubeletDirectory: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

const answerMsMax = 10_000;
const retryMs = 2000;
/** A pod that goes holds its devices until its containers have ended. */
const looksMs = [0, 100, 300, 700, 1500, 3000, 10_000];
const lookEveryMs = 30_000;
/** Socket paths have at most 107 characters. */
const endpointCharsMax = 60;

const health = (healthy: boolean) => (healthy ? "Healthy" : "Unhealthy");

function methodsOf(plugin: DevicePlugin): Record<string, GrpcMethod> {
  const options = { pre_start_required: false, get_preferred_allocation_available: false };
  const list = () => ({
    devices: plugin.devices().map(({ id, healthy }) => ({ ID: id, health: health(healthy) })),
  });
  const allocateOne = async ({ devices_ids: ids }: { devices_ids: string[] }) => {
    const { envs, mounts, devices } = await plugin.allocate(ids);
    const paths = <T extends { containerPath: string; hostPath: string }>(one: T) => ({
      container_path: one.containerPath,
      host_path: one.hostPath,
    });
    return {
      envs,
      mounts: mounts.map((one) => ({ ...paths(one), read_only: one.readOnly })),
      devices: devices.map((one) => ({ ...paths(one), permissions: one.permissions })),
    };
  };
  return {
    GetDevicePluginOptions: {
      request: "Empty",
      response: "DevicePluginOptions",
      answer: () => options,
    },
    ListAndWatch: {
      request: "Empty",
      response: "ListAndWatchResponse",
      stream: (_, write, signal) => {
        let told = "";
        const tell = () => {
          const now = list();
          const text = JSON.stringify(now);
          if (text !== told) write(now);
          told = text;
        };
        const stop = plugin.onChange(tell);
        signal.addEventListener("abort", stop, { once: true });
        tell();
      },
    },
    Allocate: {
      request: "AllocateRequest",
      response: "AllocateResponse",
      answer: async ({ container_requests: requests }) => {
        const answers = [];
        for (const request of requests) answers.push(await allocateOne(request));
        return { container_responses: answers };
      },
    },
  };
}

interface Offered {
  plugin: DevicePlugin;
  endpoint: string;
  listener?: GrpcListener;
  stopped: boolean;
}

export class KubeletHost implements DevicePluginHost {
  /** PodResources speaks of a pod when its sandbox is made. */
  readonly freshMs = 5000;
  readonly #options: KubeletHostOptions;
  readonly #offered = new Set<Offered>();
  readonly #podsChanged: Signal;
  /** Which kubelet the plugins registered with: a new socket is a new kubelet. */
  #kubelet = "";

  constructor(options: KubeletHostOptions) {
    this.#options = options;
    const { scope, log } = options;
    this.#podsChanged = new Signal(scope.signal);
    const failed = (error: unknown) => {
      if (!scope.closed) log.warn("the kubelet is not followed", { error: String(error) });
    };
    this.#followKubelet().catch(failed);
    this.#followPods().catch(failed);
    scope.defer(options.clock.every(lookEveryMs, () => this.#podsChanged.raise()));
    scope.defer(() => {
      for (const offered of this.#offered) this.#withdraw(offered);
    });
  }

  /** Pods of this node came, went or ended. */
  podsChanged() {
    for (const ms of looksMs) this.#options.clock.after(ms, () => this.#podsChanged.raise());
  }

  add(plugin: DevicePlugin): () => void {
    const { clock } = this.#options;
    const name = plugin.resourceName.replaceAll("/", "_").slice(-endpointCharsMax);
    const endpoint = `${name}-${Math.floor(clock.now() / 1000)}.sock`;
    const offered: Offered = { plugin, endpoint, stopped: false };
    this.#offered.add(offered);
    void this.#offer(offered);
    return () => this.#withdraw(offered);
  }

  #path = (file: string) => join(this.#options.kubeletDirectory, "device-plugins", file);

  #withdraw(offered: Offered) {
    offered.stopped = true;
    this.#offered.delete(offered);
    offered.listener?.close();
    void rm(this.#path(offered.endpoint), { force: true });
  }

  async #offer(offered: Offered) {
    const { clock, log, scope } = this.#options;
    const { plugin, endpoint } = offered;
    while (!offered.stopped) {
      try {
        offered.listener?.close();
        delete offered.listener;
        await rm(this.#path(endpoint), { force: true });
        const service = { path: pluginApi.path, types: pluginApi.types };
        const listener = await listenGrpc(this.#path(endpoint), [
          { ...service, methods: methodsOf(plugin) },
        ]);
        if (offered.stopped) return listener.close();
        offered.listener = listener;
        await this.#register(plugin.resourceName, endpoint);
        this.#podsChanged.raise();
        return;
      } catch (error) {
        log.debug("a resource is not offered yet", {
          resource: plugin.resourceName,
          error: String(error),
        });
        await sleep(clock, retryMs, scope.signal).catch(() => {});
        if (scope.closed) return;
      }
    }
  }

  async #register(resource_name: string, endpoint: string) {
    const connection = new GrpcConnection(`unix://${this.#path("kubelet.sock")}`);
    try {
      const names = { Register: ["RegisterRequest", "Empty"] as [string, string] };
      const options = { pre_start_required: false, get_preferred_allocation_available: false };
      await connection
        .service(registration.path, registration.types, names)
        .call(
          "Register",
          { version: "v1beta1", endpoint, resource_name, options },
          { timeoutMs: answerMsMax },
        );
    } finally {
      connection.close();
    }
  }

  /** A kubelet that starts has forgotten all plugins and removed their sockets. */
  async #followKubelet() {
    const { clock, scope } = this.#options;
    for await (const _ of watchFolders([this.#path("")], { clock, signal: scope.signal })) {
      const found = await stat(this.#path("kubelet.sock")).catch(() => undefined);
      if (!found) continue;
      const kubelet = `${found.ino} ${found.ctimeMs}`;
      if (this.#kubelet === kubelet) continue;
      const first = this.#kubelet === "";
      this.#kubelet = kubelet;
      if (!first) for (const offered of this.#offered) void this.#offer(offered);
    }
  }

  async #followPods() {
    while (await this.#podsChanged.next()) {
      if (this.#offered.size === 0) continue;
      const held = await this.#held().catch(() => undefined);
      if (!held) continue;
      let later = false;
      for (const { plugin } of this.#offered) {
        const ids = held.get(plugin.resourceName) ?? [];
        const again = await plugin.keepOnly(() => ids).catch(() => true);
        later ||= again;
      }
      if (later) this.#options.clock.after(retryMs, () => this.#podsChanged.raise());
    }
  }

  /** By resource. */
  async #held(): Promise<Map<string, string[]>> {
    const socket = join(this.#options.kubeletDirectory, "pod-resources", "kubelet.sock");
    const connection = new GrpcConnection(`unix://${socket}`);
    try {
      const names = {
        List: ["ListPodResourcesRequest", "ListPodResourcesResponse"] as [string, string],
      };
      const { pod_resources: pods } = await connection
        .service(lister.path, lister.types, names)
        .call("List", {}, { timeoutMs: answerMsMax });
      const held = new Map<string, string[]>();
      for (const { containers } of pods) {
        for (const { devices } of containers) {
          for (const { resource_name: name, device_ids: ids } of devices) {
            held.set(name, [...(held.get(name) ?? []), ...ids]);
          }
        }
      }
      return held;
    } finally {
      connection.close();
    }
  }
}
