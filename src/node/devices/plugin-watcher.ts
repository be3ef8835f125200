// Plugins that put a socket into a folder are asked who they are (plugin registration API v1). One that does not
// answer yet is asked again, and one that came back has another socket of the same name.
import { watch } from "node:fs";
import { lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Cancel, Clock } from "../../lib/clock.ts";
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
  clock: Clock;
  log: Log;
  scope: Scope;
}

const answerMsMax = 10_000;
const pluginsMax = 256;
const retryMsMin = 500;
const retryMsMax = 60_000;

interface Known {
  /** Of the socket. */
  identity: string;
  /** Absent for one that did not register. */
  info?: PluginInfo;
  /** Until it is asked again. */
  retryMs: number;
}

/** Empty for one that is gone. */
const identityOf = (path: string) =>
  lstat(path).then(
    ({ ino, birthtimeMs }) => `${ino}/${birthtimeMs}`,
    () => "",
  );

class PluginWatcher {
  readonly #options: PluginWatcherOptions;
  readonly #known = new Map<string, Known>();
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
    for (const [name, { info }] of this.#known) {
      if (sockets.includes(name)) continue;
      this.#known.delete(name);
      if (info) handlers[info.type]?.removed(info);
    }
    for (const name of sockets.slice(0, pluginsMax)) {
      const path = join(directory, name);
      const identity = await identityOf(path);
      const before = this.#known.get(name);
      const isSame = before?.identity === identity;
      if (isSame && before.info) continue;
      const info = await this.#ask(path, { isTold: isSame && before.retryMs === retryMsMin });
      const retryMs = isSame ? Math.min(before.retryMs * 2, retryMsMax) : retryMsMin;
      this.#known.set(name, { identity, retryMs, ...(info && { info }) });
      if (!info) this.#lookAfter(retryMs);
    }
  }

  #cancel: Cancel = () => {};
  #dueAt = Infinity;

  /** The soonest of those that wait counts; the others are asked with it. */
  #lookAfter(ms: number) {
    const { clock } = this.#options;
    const at = clock.monotonic() + ms;
    if (at >= this.#dueAt) return;
    this.#cancel();
    this.#dueAt = at;
    this.#cancel = clock.after(ms, () => {
      this.#dueAt = Infinity;
      void this.look();
    });
  }

  stop() {
    this.#cancel();
  }

  /**
   * Its answer; undefined for one that is of no use here. That is told once, since a log lies on flash too,
   * and at the second time, since a socket of before a restart is there until its plugin makes it anew.
   */
  async #ask(socketPath: string, { isTold }: { isTold: boolean }): Promise<PluginInfo | undefined> {
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
      if (isTold) log.warn("a plugin was not registered", { socketPath, error: String(error) });
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
  scope.defer(() => {
    watched.close();
    watcher.stop();
  });
  await watcher.look();
}
