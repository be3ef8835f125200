// Looks for devices on this node: a search per Configuration, an Instance per device, an extended resource
// per Instance and per Configuration. Nothing is taken away before a handler has answered once.
import { keyOf } from "../client/cache.ts";
import type { Client } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { Informers } from "../client/informers.ts";
import type { DevicePluginHost } from "./device-plugin.ts";
import type { KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import type { Scope } from "../lib/scope.ts";
import { WorkQueue } from "../lib/work-queue.ts";
import { applyPlan } from "./apply-plan.ts";
import { Claims } from "./claims.ts";
import type { Device, HandlerWorld } from "./handler.ts";
import type { Handlers } from "./handlers.ts";
import { configurations } from "./kinds/configuration.ts";
import type { Configuration } from "./kinds/configuration.ts";
import { instances } from "./kinds/instance.ts";
import type { Instance } from "./kinds/instance.ts";
import { nameDevices, planInstances } from "./plan-instances.ts";
import type { Found, Refused } from "./plan-instances.ts";
import { Plugins } from "./plugins.ts";
import { Presence } from "./presence.ts";
import { reportNode } from "./report.ts";
import { Search } from "./search.ts";

export interface DeviceAgentOptions {
  client: Client;
  informers: Informers;
  node: string;
  handlers: Handlers;
  world: HandlerWorld;
  /** Where extended resources are offered; absent on nodes that run no pods. */
  host?: DevicePluginHost;
  scope: Scope;
}

interface Watched {
  handler: unknown;
  search: Search;
  presence: Presence;
  found: ReadonlyMap<string, Found>;
}

const byConfiguration = "configuration";
const byName = "name";

export class DeviceAgent {
  readonly #options: DeviceAgentOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #queue: WorkQueue;
  readonly #plugins: Plugins | undefined;
  readonly #configurations: Informer;
  readonly #instances: Informer;

  constructor(options: DeviceAgentOptions) {
    this.#options = options;
    const { informers, client, node, host, world } = options;
    this.#configurations = informers.get({ resource: configurations });
    this.#instances = informers.get({ resource: instances });
    const deviceOf = (key: string, instance: string): Device | undefined =>
      this.#watched.get(key)?.found.get(instance)?.device;
    this.#plugins =
      host &&
      new Plugins({ host, node, clock: world.clock, claims: new Claims(client, node), deviceOf });
    this.#queue = new WorkQueue({
      clock: world.clock,
      workers: 4,
      work: (key) => this.#reconcile(key),
      onError: (key, error, failures) =>
        world.log[failures > 3 ? "warn" : "debug"]("a search's devices were not written", {
          configuration: key,
          error: String(error),
        }),
    });
  }

  async start() {
    const { scope } = this.#options;
    await Promise.all([this.#configurations.synced(), this.#instances.synced()]);
    this.#instances.addIndex(byConfiguration, ({ metadata, spec }) => [
      `${metadata.namespace}/${spec.configurationName}`,
    ]);
    this.#configurations.addIndex(byName, ({ metadata }) => [metadata.name]);
    const wake = ({ metadata: { name } }: KubeObject) => {
      // One that goes leaves its name to others.
      for (const one of this.#configurations.byIndex(byName, name)) this.#queue.add(keyOf(one));
    };
    const removed = (one: KubeObject) => {
      this.#queue.add(keyOf(one));
      wake(one);
    };
    const wakeOwner = ({ metadata, spec }: any) =>
      this.#queue.add(`${metadata.namespace}/${spec.configurationName}`);
    const all = (run: (object: any) => void) => ({ onAdd: run, onUpdate: run, onDelete: run });
    scope.defer(this.#configurations.subscribe({ ...all(wake), onDelete: removed }));
    scope.defer(this.#instances.subscribe(all(wakeOwner)));
    scope.defer(async () => {
      await this.#queue.stop();
      for (const { search } of this.#watched.values()) search.stop();
      this.#plugins?.stop();
    });
  }

  #existing = (key: string) => this.#instances.byIndex(byConfiguration, key) as Instance[];

  async #reconcile(key: string) {
    const { client, node, world } = this.#options;
    const [namespace, name] = key.split("/") as [string, string];
    const configuration = this.#configurations.get(name, namespace) as Configuration | undefined;
    if (!configuration || configuration.metadata.deletionTimestamp) return this.#forget(key);
    const elder = this.#elder(configuration);
    if (elder) {
      this.#forget(key);
      const message = `${elder} has this name, and names of resources know no namespaces`;
      const trouble = { reason: "NameTaken", message };
      const report = { node, count: 0, refused: [], trouble, now: world.clock.now() };
      return reportNode(client, configuration, report);
    }
    const watched = this.#watch(key, configuration);
    const { seen, refused, trouble } = watched.search.state();
    const refusedHere: Refused[] = [...refused];
    if (seen) {
      const { present, wakeAfterMs } = watched.presence.look(seen, configuration);
      if (wakeAfterMs !== undefined) this.#queue.addAfter(key, wakeAfterMs);
      const named = nameDevices(configuration, present, node);
      refusedHere.push(...named.refused);
      watched.found = named.found;
      const existing = this.#existing(key);
      await applyPlan(client, planInstances(configuration, named.found, { existing, node }), node);
    }
    this.#plugins?.follow(key, configuration, this.#existing(key));
    const count = seen && watched.found.size;
    const report = { node, count, refused: refusedHere, trouble, now: world.clock.now() };
    await reportNode(client, configuration, report);
  }

  /** Another Configuration of this name, which was there before. */
  #elder({ metadata }: Configuration): string | undefined {
    const { name, uid, creationTimestamp } = metadata;
    const age = `${creationTimestamp} ${uid}`;
    const elder = this.#configurations
      .byIndex(byName, name)
      .find((one) => `${one.metadata.creationTimestamp} ${one.metadata.uid}` < age);
    return elder && `${elder.metadata.namespace}/${name}`;
  }

  #watch(key: string, { spec }: Configuration): Watched {
    const handler = spec?.discoveryHandler ?? {};
    const known = this.#watched.get(key);
    if (known && jsonEqual(known.handler, handler)) return known;
    known?.search.stop();
    const { handlers, client, world } = this.#options;
    const changed = () => this.#queue.add(key);
    const search = new Search({ handler, handlers, client, world, changed });
    const presence = known?.presence ?? new Presence(world.clock);
    const watched: Watched = { handler, search, presence, found: known?.found ?? new Map() };
    this.#watched.set(key, watched);
    return watched;
  }

  #forget(key: string) {
    this.#watched.get(key)?.search.stop();
    this.#watched.delete(key);
    this.#plugins?.forget(key);
  }
}
