// A driver of dynamic resources for tests: it registers and prepares on one socket, and says what it was asked.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener } from "../../lib/grpc-server.ts";
import { driver as driverApi, driverHealth, pluginWatcher } from "./protocols.ts";

export interface FakeDriverOptions {
  /** The watched folder. */
  registry: string;
  name: string;
  versions?: string[];
  cdiDevices?: string[];
  /** Which version of its health it tells; none by default. */
  tellsHealth?: "v1" | "v1alpha1";
}

export class FakeDriver {
  /** `Prepare CLAIM`, in order. */
  readonly calls: string[] = [];
  /** What it was told of its registration. */
  readonly told: string[] = [];
  /** Why it refuses whatever it is asked; "" when it does not. */
  trouble = "";
  readonly #listeners = new Set<(answer: object) => void>();
  readonly #options: FakeDriverOptions;
  #listener: GrpcListener | undefined;

  constructor(options: FakeDriverOptions) {
    this.#options = options;
  }

  /** Resolves once the node has said whether it is registered. */
  async start() {
    const { registry } = this.#options;
    await mkdir(registry, { recursive: true });
    const registered = Promise.withResolvers<void>();
    this.#listener = await listenGrpc(join(registry, "driver.sock"), [
      this.#registration(() => registered.resolve()),
      this.#preparation(),
      ...this.#health(),
    ]);
    await registered.promise;
  }

  stop() {
    this.#listener?.close();
  }

  /** Of `gpu-0`, to everybody who listens. */
  tell(health: "HEALTHY" | "UNHEALTHY", more: object = {}) {
    const device = { pool_name: "a", device_name: "gpu-0" };
    for (const write of this.#listeners) write({ devices: [{ device, health, ...more }] });
  }

  get isHeard() {
    return this.#listeners.size > 0;
  }

  #health() {
    const { tellsHealth } = this.#options;
    if (!tellsHealth) return [];
    const stream = (_: unknown, write: (answer: object) => void, signal: AbortSignal) => {
      this.#listeners.add(write);
      signal.addEventListener("abort", () => this.#listeners.delete(write));
    };
    const names = {
      request: "NodeWatchResourcesRequest",
      response: "NodeWatchResourcesResponse",
    };
    const path = driverHealth.paths.find((one) => one.startsWith(`/${tellsHealth}.`))!;
    return [
      { path, types: driverHealth.types, methods: { NodeWatchResources: { ...names, stream } } },
    ];
  }

  #registration(done: () => void) {
    const { name, versions = ["v1.DRAPlugin"] } = this.#options;
    const methods = {
      GetInfo: {
        request: "InfoRequest",
        response: "PluginInfo",
        answer: () => ({ type: "DRAPlugin", name, supported_versions: versions }),
      },
      NotifyRegistrationStatus: {
        request: "RegistrationStatus",
        response: "RegistrationStatusResponse",
        answer: ({ plugin_registered: is, error }: any) => {
          this.told.push(is ? "registered" : error);
          done();
          return {};
        },
      },
    };
    return { path: pluginWatcher.path, types: pluginWatcher.types, methods };
  }

  #preparation() {
    const { cdiDevices = ["example.com/gpu=0"] } = this.#options;
    const device = {
      request_names: ["gpu"],
      pool_name: "a",
      device_name: "gpu-0",
      cdi_device_ids: cdiDevices,
    };
    const answer = (what: string, given: object) => ({
      request: `Node${what}ResourcesRequest`,
      response: `Node${what}ResourcesResponse`,
      answer: ({ claims }: any) => {
        for (const { name } of claims) this.calls.push(`${what} ${name}`);
        const one = this.trouble ? { error: this.trouble } : given;
        return { claims: Object.fromEntries(claims.map(({ uid }: any) => [uid, one])) };
      },
    });
    const methods = {
      NodePrepareResources: answer("Prepare", { devices: [device] }),
      NodeUnprepareResources: answer("Unprepare", {}),
    };
    const { versions: [version = "v1.DRAPlugin"] = [] } = this.#options;
    const path = driverApi.paths.get(version) ?? "/unknown";
    return { path, types: driverApi.types, methods };
  }
}
