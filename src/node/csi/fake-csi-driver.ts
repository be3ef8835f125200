// A driver of volumes for tests: it registers, says what it was asked, and publishes folders as they are.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { grpcError, listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener } from "../../lib/grpc-server.ts";
import { pluginWatcher } from "../devices/protocols.ts";
import { abilities, csiNode, units } from "./protocol.ts";
import type { Ability } from "./protocol.ts";

export interface FakeCsiDriverOptions {
  /** The watched folder. */
  registry: string;
  name: string;
  can?: Ability[];
  /** How often it does not say who it is, before it does. */
  silences?: number;
}

export class FakeCsiDriver {
  /** `NodePublishVolume HANDLE`, in order. */
  readonly calls: string[] = [];
  /** The last request of each method. */
  readonly asked = new Map<string, any>();
  readonly #options: FakeCsiDriverOptions;
  #listener: GrpcListener | undefined;

  constructor(options: FakeCsiDriverOptions) {
    this.#options = options;
  }

  /** Resolves once the node has said whether it is registered. */
  async start() {
    const { registry, name } = this.#options;
    await mkdir(registry, { recursive: true });
    const registered = Promise.withResolvers<void>();
    this.#listener = await listenGrpc(join(registry, `${name}.sock`), [
      this.#registration(() => registered.resolve()),
      this.#node(),
    ]);
    await registered.promise;
  }

  stop() {
    this.#listener?.close();
  }

  #registration(done: () => void) {
    const { name } = this.#options;
    let { silences = 0 } = this.#options;
    const methods = {
      GetInfo: {
        request: "InfoRequest",
        response: "PluginInfo",
        answer: () => {
          if (silences-- > 0) throw grpcError("UNAVAILABLE", "not yet");
          return { type: "CSIPlugin", name, supported_versions: ["1.0.0"] };
        },
      },
      NotifyRegistrationStatus: {
        request: "RegistrationStatus",
        response: "RegistrationStatusResponse",
        answer: () => {
          done();
          return {};
        },
      },
    };
    return { path: pluginWatcher.path, types: pluginWatcher.types, methods };
  }

  #node() {
    const answer = (method: string, give: (request: any) => object | Promise<object>) => ({
      request: `${method}Request`,
      response: `${method}Response`,
      answer: async (request: any) => {
        this.asked.set(method, request);
        if (request.volume_id) this.calls.push(`${method} ${request.volume_id}`);
        return give(request);
      },
    });
    const make = async ({ target_path: path }: any) => {
      await mkdir(path, { recursive: true });
      await writeFile(join(path, "hello"), "from the driver");
      return {};
    };
    const unmake = async ({ target_path: path }: any) => {
      await rm(path, { recursive: true });
      return {};
    };
    const nothing = () => ({});
    const { can = [] } = this.#options;
    const capabilities = can.map((ability) => ({ rpc: { type: abilities[ability] } }));
    const methods = Object.fromEntries(
      (
        [
          [
            "NodeGetInfo",
            () => ({
              node_id: "machine-1",
              accessible_topology: { segments: { "example.com/rack": "r1" } },
            }),
          ],
          ["NodeGetCapabilities", () => ({ capabilities })],
          ["NodeStageVolume", nothing],
          ["NodeUnstageVolume", nothing],
          ["NodePublishVolume", make],
          ["NodeUnpublishVolume", unmake],
          ["NodeExpandVolume", () => ({ capacity_bytes: 0 })],
          [
            "NodeGetVolumeStats",
            () => ({
              usage: [
                { unit: units.bytes, total: 100, used: 40, available: 60 },
                { unit: units.inodes, total: 10, used: 4, available: 6 },
              ],
              volume_condition: { abnormal: true, message: "a disk of two is lost" },
            }),
          ],
        ] as const
      ).map(([method, give]) => [method, answer(method, give)]),
    );
    return { path: csiNode.path, types: csiNode.types, methods };
  }
}
