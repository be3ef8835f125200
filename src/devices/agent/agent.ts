// Looks for devices on this node: a search per Configuration, an Instance per device, an extended resource
// per Instance and per Configuration. Nothing is taken away before a handler has answered once.
import { keyOf } from "../../client/cache.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import type { DevicePluginHost } from "../plugins/device-plugin.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Scope } from "../../lib/scope.ts";
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
  madeFrom: { discoveryHandler: unknown; isLooking: boolean };
  /** Undefined while another node looks. */
  search: Search | undefined;
  presence: Presence;
  found: ReadonlyMap<string, Found>;
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
      for (const { search } of this.#watched.values()) search?.stop();
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
      await this.#standBy(key, configuration, watched);
      return reportNode(client, configuration, { node, now, ...standby });
    }
    const { seen, refused, trouble } = watched.search.state();
    const refusedHere: Refused[] = [...refused];
    if (seen) {
      const existing = this.#existing(key);
      const named = nameDevices(configuration, seen, { node, existing });
      refusedHere.push(...named.refused);
      const present = this.#look(key, configuration, { watched, found: named.found });
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

  #look(
    key: string,
    configuration: Configuration,
    { watched, found }: { watched: Watched; found: ReadonlyMap<string, Found> },
  ): Present {
    const { node } = this.#options;
    const mine = this.#existing(key).filter(({ spec }) => spec.nodes?.includes(node));
    const told = new Map(mine.map((one) => [one.metadata.name, toldBy(configuration, one)]));
    const present = watched.presence.look(found, configuration, told);
    if (present.wakeAfterMs !== undefined) this.#queue.addAfter(key, present.wakeAfterMs);
    return present;
  }

  /** What only this node lists waits for the node that looks now; the rest it leaves. */
  async #standBy(key: string, configuration: Configuration, watched: Watched) {
    const { node } = this.#options;
    const { found, kept } = this.#look(key, configuration, { watched, found: new Map() });
    const none = new Map<string, Found>();
    watched.found = none;
    const alone = this.#existing(key)
      .filter(({ spec }) => spec.nodes?.every((one) => one === node))
      .map(({ metadata }) => metadata.name)
      .filter((name) => found.has(name) || kept.has(name));
    const left = { found: none, kept: new Set(alone), away: new Set<string>() };
    await this.#write(key, configuration, left);
    this.#plugins?.follow(key, configuration, this.#existing(key));
  }

  async #write(key: string, configuration: Configuration, { found, kept, away }: Present) {
    const { client, node, world } = this.#options;
    const existing = this.#existing(key);
    const plan = planInstances(configuration, found, { existing, node, kept });
    await applyPlan(client, plan, node);
    await reportPresence(client, existing, { node, away, now: world.clock.now() });
  }

  #watch(key: string, { spec, metadata, status }: Configuration): Watched {
    const { discoveryHandler = {}, searchBy } = spec ?? {};
    const { handlers, client, node, world, metrics } = this.#options;
    const known = this.#watched.get(key);
    const isLooking = searchBy !== "OneNode" || status?.searchNode === node;
    const madeFrom = { discoveryHandler, isLooking };
    if (known && jsonEqual(known.madeFrom, madeFrom)) return known;
    known?.search?.stop();
    if (known && !jsonEqual(known.madeFrom.discoveryHandler, discoveryHandler)) {
      known.presence.release();
    }
    const presence = known?.presence ?? new Presence(world.clock);
    const hold = (seen: Seen[]) => presence.hold(new Set(seen.map(({ device }) => device.id)));
    if (known && !isLooking) hold([...known.found.values()]);
    const watched: Watched = {
      madeFrom,
      search: undefined,
      presence,
      found: known?.found ?? new Map(),
    };
    this.#watched.set(key, watched);
    if (!isLooking) return watched;
    const measure = metrics?.ofSearch(metadata.name);
    const changed = () => this.#queue.add(key);
    const parts = { handlers, client, world, changed, lost: hold, ...(measure && { measure }) };
    watched.search = new Search({ handler: discoveryHandler, ...parts });
    return watched;
  }

  #forget(key: string) {
    this.#watched.get(key)?.search?.stop();
    this.#watched.delete(key);
    this.#plugins?.forget(key);
  }
}
