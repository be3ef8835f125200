// Plugins that put a socket into a folder are asked who they are (plugin registration API v1).
import { watch } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { GrpcConnection } from "../../lib/grpc.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { pluginWatcher } from "./protocols.ts";

export interface PluginInfo {
  type: string;
  name: string;
  /** Its own socket, when that is another. */
  endpoint: string;
  supported_versions: string[];
}

export interface PluginHandler {
  /** Throws an Error that the plugin is told. */
  added(info: PluginInfo, socketPath: string): void;
  removed(info: PluginInfo): void;
}

export interface PluginWatcherOptions {
  /** `/var/lib/kubelet/plugins_registry`. */
  directory: string;
  /** By type: `DRAPlugin`. */
  handlers: Record<string, PluginHandler>;
  log: Log;
  scope: Scope;
}

const answerMsMax = 10_000;
const pluginsMax = 256;

class PluginWatcher {
  readonly #options: PluginWatcherOptions;
  readonly #known = new Map<string, PluginInfo | undefined>();
  #looking: Promise<void> = Promise.resolve();

  constructor(options: PluginWatcherOptions) {
    this.#options = options;
  }

  look(): Promise<void> {
    const { log, scope } = this.#options;
    this.#looking = this.#looking
      .then(() => (scope.closed ? undefined : this.#once()))
      .catch((error) => log.warn("plugins were not looked for", { error: String(error) }));
    return this.#looking;
  }

  async #once() {
    const { directory, handlers } = this.#options;
    const entries = await readdir(directory, { withFileTypes: true });
    const sockets = entries.filter((one) => one.isSocket()).map(({ name }) => name);
    for (const [name, info] of this.#known) {
      if (sockets.includes(name)) continue;
      this.#known.delete(name);
      if (info) handlers[info.type]?.removed(info);
    }
    for (const name of sockets.slice(0, pluginsMax)) {
      if (this.#known.has(name)) continue;
      this.#known.set(name, await this.#ask(join(directory, name)));
    }
  }

  /** Its answer; undefined for one that is of no use here. */
  async #ask(socketPath: string): Promise<PluginInfo | undefined> {
    const { handlers, log } = this.#options;
    const connection = new GrpcConnection(`unix://${socketPath}`);
    const service = connection.service(
      pluginWatcher.path,
      pluginWatcher.types,
      pluginWatcher.names,
    );
    const timeoutMs = answerMsMax;
    const tell = (error: string) =>
      service.call(
        "NotifyRegistrationStatus",
        { plugin_registered: error === "", error },
        { timeoutMs },
      );
    try {
      const info: PluginInfo = await service.call("GetInfo", {}, { timeoutMs });
      try {
        const handler = handlers[info.type];
        if (!handler) {
          throw new Error(
            `no handler registered for plugin type: ${info.type} at socket ${socketPath}`,
          );
        }
        handler.added(info, info.endpoint || socketPath);
      } catch (error) {
        await tell((error as Error).message);
        throw error;
      }
      await tell("");
      log.info("a plugin registered", { plugin: info.name, type: info.type });
      return info;
    } catch (error) {
      log.warn("a plugin was not registered", { socketPath, error: String(error) });
      return undefined;
    } finally {
      connection.close();
    }
  }
}

/** Resolves once the plugins that are there are known. */
export async function watchPlugins(options: PluginWatcherOptions): Promise<void> {
  const { directory, scope } = options;
  await mkdir(directory, { recursive: true });
  const watcher = new PluginWatcher(options);
  const watched = watch(directory, () => void watcher.look());
  scope.defer(() => watched.close());
  await watcher.look();
}
