// The twins of devices that this node reaches. Of several nodes that reach a device one keeps its twin: the first
// by name.
import { keyOf } from "../../client/cache.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { Scope } from "../../lib/scope.ts";
import type { Device, DiscoveryHandler, HandlerWorld } from "../discovery/handler.ts";
import { deviceTwins } from "../kinds/device-twin.ts";
import type { DeviceTwin } from "../kinds/device-twin.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import type { Properties } from "../discovery/properties.ts";
import type { Heard } from "./report.ts";
import { statusOf } from "./report.ts";
import { TwinSession } from "./session.ts";

export interface Reached {
  device: Device;
  handler: DiscoveryHandler | undefined;
  handlerName: string;
  properties: () => Promise<Properties>;
}

export interface TwinsOptions {
  client: Client;
  node: string;
  twins: Informer;
  instances: Informer;
  /** Undefined while this node does not see the device. */
  reach: (instance: Instance) => Reached | undefined;
  world: HandlerWorld;
  scope: Scope;
}

interface Kept {
  session: TwinSession;
  scope: Scope;
  /** What the session was begun with. */
  device: string;
}

class Twins {
  readonly #options: TwinsOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: TwinsOptions) {
    this.#options = options;
    const { scope, twins, instances } = options;
    const follow = (twin: object) => this.#follow(keyOf(twin as DeviceTwin));
    const all = { onAdd: follow, onUpdate: follow, onDelete: follow };
    scope.defer(twins.subscribe(all));
    const followInstance = ({ metadata }: any) => this.changed(metadata.namespace, metadata.name);
    const of = { onAdd: followInstance, onUpdate: followInstance, onDelete: followInstance };
    scope.defer(instances.subscribe(of));
    scope.defer(async () => {
      for (const { scope: own } of this.#kept.values()) await own.close();
    });
  }

  /** What is known of an Instance's device may be otherwise. */
  changed(namespace: string, instance: string) {
    for (const twin of this.#options.twins.list(namespace) as DeviceTwin[]) {
      if (twin.spec.instance === instance) this.#follow(keyOf(twin));
    }
  }

  #twin(key: string): DeviceTwin | undefined {
    const [namespace, name] = key.split("/") as [string, string];
    return this.#options.twins.get(name, namespace) as DeviceTwin | undefined;
  }

  #reached(twin: DeviceTwin): Reached | undefined {
    const { instances, node, reach } = this.#options;
    const { namespace } = twin.metadata;
    const instance = instances.get(twin.spec.instance, namespace) as Instance | undefined;
    const [first] = [...(instance?.spec.nodes ?? [])].sort();
    return instance && first === node ? reach(instance) : undefined;
  }

  #follow(key: string) {
    const twin = this.#twin(key);
    const reached = twin && this.#reached(twin);
    const known = this.#kept.get(key);
    const device = JSON.stringify(reached?.device);
    if (known && reached && known.device === device) return known.session.wake();
    void known?.scope.close();
    this.#kept.delete(key);
    if (!twin || !reached) {
      // Whoever had it last says that it is away, and what waits for it.
      const isMine = known ?? twin?.status?.node === this.#options.node;
      if (twin && isMine) void this.#report(twin, { values: new Map(), away: "no node sees it" });
      return;
    }
    const scope = new Scope();
    const { clock } = this.#options.world;
    const session = new TwinSession({
      twin: () => this.#twin(key),
      open: (signal) => this.#open(reached, signal),
      report: (one, heard) => this.#report(one, heard),
      clock,
      signal: scope.signal,
    });
    this.#kept.set(key, { session, scope, device });
    void session.run();
  }

  async #open({ device, handler, handlerName, properties }: Reached, signal: AbortSignal) {
    if (!handler?.openTwin)
      throw new Error(`the handler ${handlerName} reads and writes no values`);
    const request = { properties: await properties(), signal };
    return handler.openTwin(device, request, this.#options.world);
  }

  async #report(twin: DeviceTwin, heard: Heard) {
    const { client, node, world } = this.#options;
    const { name, namespace, uid } = twin.metadata;
    const status = statusOf(twin, heard, { node, now: timestamp(world.clock.now()) });
    if (jsonEqual(twin.status, status)) return;
    const target = { ...deviceTwins, namespace, name, subresource: "status" };
    const patch = {
      apiVersion: "devices.kerb.dev/v1alpha1",
      kind: "DeviceTwin",
      metadata: { name, namespace, uid },
      status,
    };
    const options = { fieldManager: "akri-twin", force: true };
    await client.patch(target, "apply", patch, options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }
}

type StartOptions = Omit<TwinsOptions, "twins" | "instances" | "reach"> & { informers: Informers };

/** Keeps the twins of what the node's search finds. */
export async function startTwins(
  options: StartOptions,
  search: {
    reach: TwinsOptions["reach"];
    onDevice: (namespace: string, instance: string) => void;
  },
) {
  const twins = options.informers.get({ resource: deviceTwins });
  const of = options.informers.get({ resource: instances });
  await Promise.all([twins.synced(), of.synced()]);
  const kept = new Twins({ ...options, twins, instances: of, reach: search.reach });
  search.onDevice = (namespace, instance) => kept.changed(namespace, instance);
}
