// A driver that has gone does not offer devices any more: its ResourceSlices of this node are removed, so that
// nobody is placed here for them. One that only starts again has time to come back.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { PluginHandler } from "./plugin-watcher.ts";

const resourceSlices = resource("resource.k8s.io/v1", "resourceslices");
/** As the kubelet. */
const goneMs = 30_000;

export interface SliceCleanupOptions {
  client: Client;
  nodeName: string;
  clock: Clock;
  log: Log;
}

export class SliceCleanup {
  readonly #options: SliceCleanupOptions;
  readonly #going = new Map<string, Cancel>();
  readonly #registered = new Set<string>();

  constructor(options: SliceCleanupOptions) {
    this.#options = options;
  }

  /** Tells `handler`, and cleans up behind those who go. */
  behind(handler: PluginHandler): PluginHandler {
    return {
      added: (info, socketPath) => {
        handler.added(info, socketPath);
        this.#registered.add(info.name);
        this.#going.get(info.name)?.();
        this.#going.delete(info.name);
      },
      removed: (info) => {
        handler.removed(info);
        this.#registered.delete(info.name);
        this.#later(info.name, () => this.#remove(info.name));
      },
    };
  }

  /** Drivers that went while nobody looked are found by what they left. */
  start() {
    this.#later("", async () => {
      const { client } = this.#options;
      const { items } = await client.list(resourceSlices, { fieldSelector: this.#own() });
      const drivers = new Set(items.map(({ spec }): string => spec.driver));
      for (const driver of drivers) if (!this.#registered.has(driver)) await this.#remove(driver);
    });
  }

  stop() {
    for (const cancel of this.#going.values()) cancel();
  }

  #own = () => `spec.nodeName=${this.#options.nodeName}`;

  #later(key: string, work: () => Promise<void>) {
    const { clock, log } = this.#options;
    this.#going.get(key)?.();
    const run = () => {
      this.#going.delete(key);
      work().catch((error) =>
        log.warn("slices of a driver that is gone were not removed", { error: String(error) }),
      );
    };
    this.#going.set(key, clock.after(goneMs, run));
  }

  #remove(driver: string) {
    const fieldSelector = `${this.#own()},spec.driver=${driver}`;
    this.#options.log.info("the slices of a driver that is gone are removed", { driver });
    return this.#options.client.deleteCollection(resourceSlices, { fieldSelector });
  }
}
