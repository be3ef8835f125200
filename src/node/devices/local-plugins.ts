// Devices that another part of this process brings: what a device plugin says over sockets it says here by
// itself, so that a node may have thousands of them, and is told at once when a pod lets go of one.
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";

interface Paths {
  containerPath: string;
  hostPath: string;
}

export interface LocalAllocation {
  envs: Record<string, string>;
  mounts: (Paths & { readOnly: boolean })[];
  devices: (Paths & { permissions: string })[];
}

export interface LocalPlugin {
  /** `example.com/camera`. */
  resourceName: string;
  devices(): { id: string; healthy: boolean }[];
  /** Returns its stop. */
  onChange(listener: () => void): () => void;
  /** Throws when the devices are not to be had. */
  allocate(ids: string[]): Promise<LocalAllocation>;
  /** `held` tells all that pods hold at that moment. True when it wants to be told again soon. */
  keepOnly(held: () => string[]): Promise<boolean>;
}

/** The node's side. */
export interface LocalPluginsNode {
  added(plugin: LocalPlugin): void;
  removed(plugin: LocalPlugin): void;
  /** Devices that pods hold, by resource; undefined while not all pods are known. */
  held(): Map<string, string[]> | undefined;
}

const againMs = 300;
const everyMs = 30_000;

export class LocalPlugins {
  readonly #plugins = new Set<LocalPlugin>();
  /** What each was told last. */
  readonly #told = new WeakMap<LocalPlugin, string>();
  readonly #clock: Clock;
  #node: LocalPluginsNode | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isAsked = false;
  #all = false;
  /** What is given out is in the node's books within this. */
  readonly freshMs = 250;

  constructor(clock: Clock, scope: Scope) {
    this.#clock = clock;
    scope.defer(clock.every(everyMs, () => this.heldChanged({ all: true })));
  }

  /** Returns its removal; what pods hold they keep. */
  add(plugin: LocalPlugin): () => void {
    this.#plugins.add(plugin);
    this.#node?.added(plugin);
    // What it knew when it was told may have been old.
    const stop = plugin.onChange(() => {
      this.#told.delete(plugin);
      this.heldChanged();
    });
    this.heldChanged();
    return () => {
      stop();
      if (this.#plugins.delete(plugin)) this.#node?.removed(plugin);
    };
  }

  /** The node that gives them out from now on. */
  follow(node: LocalPluginsNode) {
    this.#node = node;
    for (const plugin of this.#plugins) node.added(plugin);
    this.heldChanged();
  }

  /** A pod got or let go of devices. */
  heldChanged({ all = false }: { all?: boolean } = {}) {
    this.#all ||= all;
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#turn = this.#turn.then(() => {
      const everybody = this.#all;
      this.#isAsked = this.#all = false;
      return this.#tell(everybody);
    });
  }

  async #tell(all: boolean) {
    if (!this.#node?.held()) return;
    let again = false;
    for (const plugin of this.#plugins) {
      const held = () => this.#node?.held()?.get(plugin.resourceName) ?? [];
      const text = held().join();
      if (!all && this.#told.get(plugin) === text) continue;
      const wants = await plugin.keepOnly(held).catch(() => true);
      again ||= wants;
      if (wants) this.#told.delete(plugin);
      else this.#told.set(plugin, text);
    }
    if (again) this.#clock.after(againMs, () => this.heldChanged());
  }
}
