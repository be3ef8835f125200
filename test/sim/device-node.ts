// A node of the simulation: the real search and plugins of Kerb, over a bad link, with a kubelet that is a dozen
// lines. What runs goes on running while its agent is dead or its link is cut.
import { Informers } from "../../src/client/informers.ts";
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import { DeviceAgent } from "../../src/devices/agent/agent.ts";
import type { DevicePlugin, DevicePluginHost } from "../../src/devices/plugins/device-plugin.ts";
import type { DiscoveryHandler } from "../../src/devices/discovery/handler.ts";
import { Handlers } from "../../src/devices/discovery/handlers.ts";
import type { KubeObject } from "../../src/kinds/object.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import type { Random } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { handlerWorld } from "../support/handlers.ts";
import { Link } from "./link.ts";

const pods = resource("v1", "pods");
const namespace = "default";

export interface DeviceNodeOptions {
  name: string;
  hub: Client;
  handler: DiscoveryHandler;
  /** Of the resource that pods ask for. */
  resourceName: string;
  clock: Clock;
  random: Random;
}

export class DeviceNode implements DevicePluginHost {
  readonly freshMs = 5000;
  readonly name: string;
  readonly link: Link;
  /** Uid of each pod that runs here, and the device it has: what a kubelet keeps on disk. */
  readonly held = new Map<string, string>();
  readonly #options: DeviceNodeOptions;
  readonly #client: Client;
  readonly #plugins = new Set<DevicePlugin>();
  #agent: Scope | undefined;
  #busy: Promise<void> | undefined;

  constructor(options: DeviceNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.link = new Link(options);
    this.#client = this.link.client(() => options.hub);
  }

  get isAlive() {
    return this.#agent !== undefined;
  }

  add(plugin: DevicePlugin) {
    this.#plugins.add(plugin);
    return () => void this.#plugins.delete(plugin);
  }

  /** The process of agent and kubelet. */
  async start() {
    const { clock, random, handler } = this.#options;
    const scope = new Scope();
    this.#agent = scope;
    const client = this.#client;
    const informers = new Informers({ client, clock, log: silent, scope });
    const world = handlerWorld({ clock, random });
    const handlers = new Handlers([handler]);
    const parts = { client, informers, node: this.name, handlers, world, host: this, scope };
    await new DeviceAgent(parts).start();
  }

  kill() {
    void this.#agent?.close();
    this.#agent = undefined;
    this.#plugins.clear();
    this.#busy = undefined;
  }

  /** One look at its pods, unless the last has not ended. */
  look() {
    const agent = this.#agent;
    if (!agent || this.#busy) return;
    const done = () => {
      if (this.#agent === agent) this.#busy = undefined;
    };
    this.#busy = this.#look(agent).then(done, done);
  }

  async #look(agent: Scope) {
    const fieldSelector = `spec.nodeName=${this.name}`;
    const { items } = await this.#client.list(pods, { fieldSelector });
    if (agent.closed) return;
    const known = new Set(items.map(({ metadata }) => metadata.uid));
    for (const uid of this.held.keys()) if (!known.has(uid)) this.held.delete(uid);
    for (const pod of items) {
      if (agent.closed) return;
      if (pod.metadata.deletionTimestamp) await this.#stop(pod);
      else if (!pod.status?.phase || pod.status.phase === "Pending") await this.#run(pod, agent);
    }
    await this.#tellPlugins();
  }

  async #stop({ metadata: { uid, name } }: KubeObject) {
    this.held.delete(uid);
    const options = { gracePeriodSeconds: 0, preconditions: { uid } };
    await this.#client.delete({ ...pods, namespace, name }, options).catch(() => {});
  }

  async #run({ metadata: { uid, name } }: KubeObject, agent: Scope) {
    const { resourceName } = this.#options;
    const plugin = [...this.#plugins].find((one) => one.resourceName === resourceName);
    const taken = new Set(this.held.values());
    const free = plugin?.devices().find(({ id, healthy }) => healthy && !taken.has(id));
    let phase = "Failed";
    if (this.held.has(uid)) phase = "Running";
    else if (plugin && free) {
      const given = await plugin.allocate([free.id]).catch(() => undefined);
      // Who is killed in between has given nothing to anybody.
      if (agent.closed) return;
      if (given) {
        this.held.set(uid, free.id);
        phase = "Running";
      }
    }
    const target = { ...pods, namespace, name, subresource: "status" };
    await this.#client.patch(target, "merge", { metadata: { uid }, status: { phase } });
  }

  async #tellPlugins() {
    for (const plugin of this.#plugins) {
      const isAsked = plugin.resourceName === this.#options.resourceName;
      await plugin.keepOnly(() => (isAsked ? [...this.held.values()] : [])).catch(() => {});
    }
  }
}
