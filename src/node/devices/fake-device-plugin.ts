// A device plugin for tests: its devices are named by the test, and it says what it was asked.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { GrpcConnection } from "../../lib/grpc.ts";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener } from "../../lib/grpc-server.ts";
import type { PluginOptions } from "./device-plugin.ts";
import { plugin, registration } from "./protocols.ts";

export interface FakePluginOptions {
  socketDirectory: string;
  resource: string;
  devices: Record<string, "Healthy" | "Unhealthy">;
  options?: PluginOptions;
  /** Of the ids asked for; a string is an error. */
  refuse?: string;
  /** How often it answers for the one container. */
  answers?: number;
}

export class FakeDevicePlugin {
  /** `allocate a,b`, in order. */
  readonly calls: string[] = [];
  readonly #options: FakePluginOptions;
  readonly #told = new Set<() => void>();
  #listener: GrpcListener | undefined;

  constructor(options: FakePluginOptions) {
    this.#options = options;
  }

  async start() {
    const { socketDirectory, resource, options } = this.#options;
    const endpoint = `${resource.replace("/", "_")}.sock`;
    await rm(join(socketDirectory, endpoint), { force: true });
    this.#listener = await listenGrpc(join(socketDirectory, endpoint), [this.#answers()]);
    const connection = new GrpcConnection(`unix://${join(socketDirectory, "kubelet.sock")}`);
    try {
      const names = { Register: ["RegisterRequest", "Empty"] as [string, string] };
      await connection
        .service(registration.path, registration.types, names)
        .call("Register", { version: "v1beta1", endpoint, resource_name: resource, options });
    } finally {
      connection.close();
    }
  }

  set(id: string, health: "Healthy" | "Unhealthy") {
    this.#options.devices[id] = health;
    for (const tell of this.#told) tell();
  }

  stop() {
    this.#listener?.close();
  }

  #devices() {
    return Object.entries(this.#options.devices).map(([ID, health]) => ({ ID, health }));
  }

  #answers() {
    const grant = (ids: string[]) => ({
      envs: { DEVICES: ids.join(",") },
      mounts: [{ container_path: "/lib/driver", host_path: "/opt/driver", read_only: true }],
      devices: ids.map((id) => ({
        container_path: `/dev/${id}`,
        host_path: `/dev/null`,
        permissions: "rw",
      })),
      annotations: { "example.com/devices": ids.join(",") },
    });
    const methods = {
      ListAndWatch: {
        request: "Empty",
        response: "ListAndWatchResponse",
        stream: (_: unknown, write: (answer: object) => void, signal: AbortSignal) => {
          const tell = () => write({ devices: this.#devices() });
          this.#told.add(tell);
          signal.addEventListener("abort", () => this.#told.delete(tell));
          tell();
        },
      },
      GetPreferredAllocation: {
        request: "PreferredAllocationRequest",
        response: "PreferredAllocationResponse",
        answer: ({ container_requests: [asked] }: any) => {
          this.calls.push(`prefer ${asked.allocation_size} of ${asked.available_deviceIDs}`);
          const deviceIDs = asked.available_deviceIDs.slice(-asked.allocation_size);
          return { container_responses: [{ deviceIDs }] };
        },
      },
      Allocate: {
        request: "AllocateRequest",
        response: "AllocateResponse",
        answer: ({ container_requests: [asked] }: any) => {
          this.calls.push(`allocate ${asked.devices_ids}`);
          if (this.#options.refuse) throw new Error(this.#options.refuse);
          const { answers = 1 } = this.#options;
          const ids = asked.devices_ids as string[];
          const each = Array.from({ length: answers }, (_, i) =>
            grant(answers > 1 ? [ids[i]!] : ids),
          );
          return { container_responses: each };
        },
      },
      PreStartContainer: {
        request: "PreStartContainerRequest",
        response: "PreStartContainerResponse",
        answer: ({ devices_ids: ids }: any) => {
          this.calls.push(`prestart ${ids}`);
          return {};
        },
      },
    };
    return { path: plugin.path, types: plugin.types, methods };
  }
}
