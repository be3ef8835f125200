// The extended resources of this node, following its Instances.
import { pathsAnnotation } from "../agent/plan-instances.ts";
import { isApproved } from "../kinds/approval.ts";
import { resourceName } from "../brokers/names.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DevicePluginHost } from "./device-plugin.ts";
import type { Claims } from "./claims.ts";
import { ConfigurationPlugin } from "./configuration-plugin.ts";
import { Fresh } from "./fresh.ts";
import type { Device } from "../discovery/handler.ts";
import { InstancePlugin } from "./instance-plugin.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import { parseUsage } from "./slots.ts";

export interface PluginsOptions {
  host: DevicePluginHost;
  node: string;
  clock: Clock;
  claims: Claims;
  /** By the Configuration's key and the Instance's name. */
  deviceOf(configuration: string, instance: string): Device | undefined;
  /** No other namespace has a Configuration of its name. */
  isAlone(configuration: Configuration): boolean;
}

interface Offered<T> {
  plugin: T;
  remove: () => void;
}

interface OfConfiguration {
  any: Offered<ConfigurationPlugin>;
  each: Map<string, Offered<InstancePlugin>>;
  fresh: Fresh;
}

/** One that offers nothing gives back what pods still hold of it. */
const heldBy = ({ spec }: Instance, node: string) =>
  Object.values(spec.deviceUsage ?? {}).some((text) => parseUsage(text)?.node === node);

export class Plugins {
  readonly #options: PluginsOptions;
  readonly #offered = new Map<string, OfConfiguration>();

  constructor(options: PluginsOptions) {
    this.#options = options;
  }

  /** `instances` are the Configuration's; those of other nodes, and not approved ones, are left out here. */
  follow(key: string, configuration: Configuration, instances: Instance[]) {
    const { node, host, clock } = this.#options;
    // A container would start without its nodes and mounts while the handler that knows them is not back.
    const isKnown = ({ metadata: { name, annotations } }: Instance) =>
      annotations?.[pathsAnnotation] === undefined ||
      this.#options.deviceOf(key, name) !== undefined;
    const isOffered = (one: Instance) =>
      one.spec.nodes?.includes(node) && isApproved(configuration, one) && isKnown(one);
    const mine = instances.flatMap((one) => {
      if (isOffered(one)) return [one];
      return heldBy(one, node) ? [{ ...one, spec: { ...one.spec, capacity: 0 } }] : [];
    });
    // Controllers give names; beside Akri's, which give none, a name that nobody else has is its own.
    const isNamed =
      configuration.status?.resourceName !== undefined ||
      this.#offered.has(key) ||
      this.#options.isAlone(configuration);
    if (mine.length === 0 || !isNamed) return this.forget(key);
    const parts = {
      ...this.#options,
      fresh: this.#offered.get(key)?.fresh ?? new Fresh(clock, host.freshMs),
      deviceOf: (of: string) => this.#options.deviceOf(key, of),
    };
    let offered = this.#offered.get(key);
    if (!offered) {
      const plugin = new ConfigurationPlugin(configuration, parts);
      plugin.update(mine);
      const any = { plugin, remove: host.add(plugin) };
      offered = { any, each: new Map(), fresh: parts.fresh };
      this.#offered.set(key, offered);
    } else offered.any.plugin.update(mine);
    const { each } = offered;
    for (const instance of mine) {
      const known = each.get(instance.metadata.name);
      if (known) known.plugin.update(instance);
      else {
        const plugin = new InstancePlugin(resourceName(configuration, instance), instance, parts);
        each.set(instance.metadata.name, { plugin, remove: host.add(plugin) });
      }
    }
    const names = new Set(mine.map(({ metadata }) => metadata.name));
    for (const [instance, { remove }] of each) {
      if (names.has(instance)) continue;
      each.delete(instance);
      remove();
    }
  }

  forget(key: string) {
    const offered = this.#offered.get(key);
    if (!offered) return;
    this.#offered.delete(key);
    offered.any.remove();
    for (const { remove } of offered.each.values()) remove();
  }

  stop() {
    for (const key of [...this.#offered.keys()]) this.forget(key);
  }
}
