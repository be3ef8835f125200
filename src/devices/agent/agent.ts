// Looks for devices on this node: a search per Configuration, an Instance per device, an extended resource
// per Instance and per Configuration. Nothing is taken away before a handler has answered once.
import { keyOf } from "../../client/cache.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import type { DevicePluginHost } from "../plugins/device-plugin.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { Scope } from "../../lib/scope.ts";
import { WorkQueue } from "../../lib/work-queue.ts";
import { applyPlan } from "./apply-plan.ts";
import { Claims } from "../plugins/claims.ts";
import type { Device, HandlerWorld } from "../discovery/handler.ts";
import type { Handlers } from "../discovery/handlers.ts";
import { configurations } from "../kinds/configuration.ts";
import type { Configuration } from "../kinds/configuration.ts";
import { allocationOf } from "../plugins/instance-plugin.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { nameDevices, planInstances, toldBy } from "./plan-instances.ts";
import type { Found, Refused, Seen } from "./plan-instances.ts";
import { Plugins } from "../plugins/plugins.ts";
import type { DeviceMetrics } from "./metrics.ts";
import { releaseLeft } from "./left-finalizers.ts";
import { startOneNode } from "./one-node.ts";
import { resolveProperties } from "../discovery/properties.ts";
import type { Reached } from "../twins/twins.ts";
import { Presence } from "./presence.ts";
import type { Present } from "./presence.ts";
import { reportNode, reportPresence } from "./report.ts";
import { Search } from "./search.ts";

export interface DeviceAgentOptions {
  client: Client;
  informers: Informers;
  node: string;
  handlers: Handlers;
  world: HandlerWorld;
  /** Where extended resources are offered; absent on nodes that run no pods. */
  host?: DevicePluginHost;
  metrics?: DeviceMetrics;
  scope: Scope;
}

const standby = {
  count: undefined,
  refused: [],
  trouble: { reason: "Standby", message: "another node looks for all" },
};

interface Watched {
  /** What the search is made from. */
  handler: unknown;
  search: Search | undefined;
  presence: Presence;
  found: ReadonlyMap<string, Found>;
  scope: Scope;
}

const byConfiguration = "configuration";

export class DeviceAgent {
  readonly #options: DeviceAgentOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #queue: WorkQueue;
  readonly #plugins: Plugins | undefined;
  readonly #configurations: Informer;
  readonly #instances: Informer;

  readonly claims: Claims;

  constructor(options: DeviceAgentOptions) {
    this.#options = options;
    const { informers, client, node, host, world } = options;
    this.#configurations = informers.get({ resource: configurations });
    this.#instances = informers.get({ resource: instances });
    this.claims = new Claims(client, node);
    const { clock } = world;
    const parts = { claims: this.claims, deviceOf: this.#deviceOf, isAlone: this.#isAlone };
    this.#plugins = host && new Plugins({ host, node, clock, ...parts });
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
    const wake = (one: KubeObject) => this.#queue.add(keyOf(one));
    const wakeOwner = ({ metadata, spec }: KubeObject) =>
      this.#queue.add(`${metadata.namespace}/${spec.configurationName}`);
    const onUpdate = (one: KubeObject, before: KubeObject) => {
      // What is said of a device is not about what it is.
      const { spec, metadata } = one;
      const { deletionTimestamp, annotations } = metadata;
      const was = before.metadata;
      const isSame = jsonEqual(
        [spec, deletionTimestamp, annotations],
        [before.spec, was.deletionTimestamp, was.annotations],
      );
      if (!isSame) wakeOwner(one);
    };
    const all = { onAdd: wake, onUpdate: wake, onDelete: wake };
    scope.defer(this.#configurations.subscribe(all));
    scope.defer(this.#instances.subscribe({ onAdd: wakeOwner, onUpdate, onDelete: wakeOwner }));
    scope.defer(async () => {
      await this.#queue.stop();
      for (const watched of this.#watched.values()) await watched.scope.close();
      this.#plugins?.stop();
    });
  }

  #isAlone = ({ metadata: { name } }: Configuration) =>
    this.#configurations.list().filter((one) => one.metadata.name === name).length === 1;

  #deviceOf = (key: string, instance: string): Device | undefined =>
    this.#watched.get(key)?.found.get(instance)?.device;

  /** The Instances of all nodes. */
  known = () => this.#instances.list() as Instance[];

  /** What a container gets with a device; undefined while this node does not see it. */
  allocationOf = (instance: Instance) => {
    const { metadata, spec } = instance;
    const device = this.#deviceOf(`${metadata.namespace}/${spec.configurationName}`, metadata.name);
    return device && allocationOf(instance, device);
  };

  /** How a device is asked for its values; undefined while this node does not see it. */
  reach = (instance: Instance): Reached | undefined => {
    const { metadata, spec } = instance;
    const { client, handlers } = this.#options;
    const device = this.#deviceOf(`${metadata.namespace}/${spec.configurationName}`, metadata.name);
    const configuration = this.#configurations.get(spec.configurationName, metadata.namespace);
    if (!device || !configuration) return undefined;
    const { name: handlerName, discoveryProperties } = configuration.spec?.discoveryHandler ?? {};
    const handler = handlers.named(handlerName).find((one) => one.openTwin);
    const properties = () => resolveProperties(client, discoveryProperties);
    return { device, handler, handlerName, properties };
  };

  #existing = (key: string) => this.#instances.byIndex(byConfiguration, key) as Instance[];

  async #reconcile(key: string) {
    const { client, node, world } = this.#options;
    const [namespace, name] = key.split("/") as [string, string];
    const configuration = this.#configurations.get(name, namespace) as Configuration | undefined;
    for (const one of this.#existing(key)) await releaseLeft(client, instances, one, [node]);
    if (!configuration || configuration.metadata.deletionTimestamp) return this.#forget(key);
    const watched = this.#watch(key, configuration);
    const now = world.clock.now();
    if (!watched.search) {
      const kept = this.#aloneHere(key);
      const found = new Map<string, Found>();
      watched.found = found;
      await this.#write(key, configuration, { found, kept, away: new Set() });
      this.#plugins?.follow(key, configuration, this.#existing(key));
      return reportNode(client, configuration, { node, now, ...standby });
    }
    const { seen, refused, trouble } = watched.search.state();
    const refusedHere: Refused[] = [...refused];
    if (seen) {
      const existing = this.#existing(key);
      const named = nameDevices(configuration, seen, { node, existing });
      refusedHere.push(...named.refused);
      const mine = existing.filter(({ spec }) => spec.nodes?.includes(node));
      const told = new Map(mine.map((one) => [one.metadata.name, toldBy(configuration, one)]));
      const present = watched.presence.look(named.found, configuration, told);
      if (present.wakeAfterMs !== undefined) this.#queue.addAfter(key, present.wakeAfterMs);
      const before = watched.found;
      watched.found = present.found;
      await this.#write(key, configuration, present);
      this.#tellChanged(namespace, before, present.found);
    }
    this.#plugins?.follow(key, configuration, this.#existing(key));
    const count = seen && watched.found.size;
    await reportNode(client, configuration, { node, count, refused: refusedHere, trouble, now });
  }

  /** For those who speak with the devices. */
  onDevice: (namespace: string, instance: string) => void = () => {};

  #tellChanged(
    namespace: string,
    before: ReadonlyMap<string, Found>,
    now: ReadonlyMap<string, Found>,
  ) {
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      const [was, is] = [before.get(name), now.get(name)];
      if (!jsonEqual(was?.device, is?.device)) this.onDevice(namespace, name);
    }
  }

  /** The Instances that only this node lists: they wait for the node that looks now. */
  #aloneHere = (key: string) =>
    new Set(
      this.#existing(key)
        .filter(({ spec }) => spec.nodes?.every((one) => one === this.#options.node))
        .map(({ metadata }) => metadata.name),
    );

  async #write(key: string, configuration: Configuration, { found, kept, away }: Present) {
    const { client, node, world } = this.#options;
    const existing = this.#existing(key);
    const plan = planInstances(configuration, found, { existing, node, kept });
    await applyPlan(client, plan, node);
    await reportPresence(client, existing, { node, away, now: world.clock.now() });
  }

  #watch(key: string, { spec, metadata }: Configuration): Watched {
    const { discoveryHandler = {}, searchBy = "EveryNode" } = spec ?? {};
    const known = this.#watched.get(key);
    const madeFrom = { discoveryHandler, searchBy };
    if (known && jsonEqual(known.handler, madeFrom)) return known;
    void known?.scope.close();
    known?.presence.release();
    const { handlers, client, node, world, metrics } = this.#options;
    const changed = () => this.#queue.add(key);
    const scope = new Scope();
    const watched: Watched = {
      handler: madeFrom,
      search: undefined,
      presence: known?.presence ?? new Presence(world.clock),
      found: known?.found ?? new Map(),
      scope,
    };
    this.#watched.set(key, watched);
    const { name, namespace } = metadata;
    const lost = (seen: Seen[]) =>
      watched.presence.hold(new Set(seen.map(({ device }) => device.id)));
    const look = () => {
      const measure = metrics?.ofSearch(name);
      const parts = { handlers, client, world, changed, lost, ...(measure && { measure }) };
      watched.search = new Search({ handler: discoveryHandler, ...parts });
    };
    const stop = () => {
      watched.search?.stop();
      watched.search = undefined;
    };
    scope.defer(stop);
    if (searchBy === "EveryNode") look();
    else {
      const chosen = (isChosen: boolean) => {
        stop();
        if (scope.closed) return;
        if (isChosen) look();
        changed();
      };
      startOneNode({ client, node, namespace: namespace!, name, world, scope, chosen });
    }
    return watched;
  }

  #forget(key: string) {
    void this.#watched.get(key)?.scope.close();
    this.#watched.delete(key);
    this.#plugins?.forget(key);
  }
}
