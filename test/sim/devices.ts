// Nodes that share a device with few slots, and more pods that want one, through agent kills, link cuts, node loss
// and a device that comes and goes: one seed, one story. More than its slots never run.
import { resource } from "../../src/client/client.ts";
import { startControllers } from "../../src/controllers/runtime.ts";
import { configurations } from "../../src/devices/kinds/configuration.ts";
import { deviceNodes } from "../../src/devices/controllers/node-controller.ts";
import type { DiscoverRequest, DiscoveryHandler } from "../../src/devices/discovery/handler.ts";
import { sleep } from "../../src/lib/clock.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { startDeviceCluster } from "../support/devices.ts";
import type { DeviceCluster } from "../support/devices.ts";
import { DeviceNode } from "./device-node.ts";

const pods = resource("v1", "pods");
const nodeKind = resource("v1", "nodes");
const namespace = "default";
/** A node that was silent for so long counts as lost. */
const lostMs = 40_000;
const settleMs = 180_000;
const stepMs = 500;

export interface DeviceStory {
  seed: number;
  nodes: number;
  capacity: number;
  users: number;
  minutes: number;
}

export interface DeviceReport {
  violations: string[];
  faults: Record<string, number>;
  /** Pods that got a slot. */
  served: number;
}

class Story {
  readonly #given: DeviceStory;
  readonly #clock = new FakeClock();
  readonly #random;
  readonly #nodes: DeviceNode[] = [];
  readonly #silentSince = new Map<string, number>();
  readonly #served = new Set<string>();
  readonly report: DeviceReport = { violations: [], faults: {}, served: 0 };
  #cluster!: DeviceCluster;
  #isThere = true;
  #pod = 0;

  constructor(given: DeviceStory) {
    this.#given = given;
    this.#random = seededRandom(given.seed);
  }

  async tell(): Promise<DeviceReport> {
    await this.#begin();
    const steps = (this.#given.minutes * 60_000) / stepMs;
    for (let step = 0; step < steps; step++) {
      if (step % 20 === 0) await this.#trouble();
      await this.#step();
    }
    await this.#mend();
    for (let step = 0; step < settleMs / stepMs; step++) await this.#step();
    const running = this.#running();
    const { capacity } = this.#given;
    if (running !== capacity) this.#violated(`${running} of ${capacity} slots are used at the end`);
    for (const node of this.#nodes) node.kill();
    await this.#cluster.scope.close();
    return { ...this.report, served: this.#served.size };
  }

  async #begin() {
    const clock = this.#clock;
    const waiting = startDeviceCluster({ clock });
    await clock.advance(1000);
    this.#cluster = await waiting;
    const { client } = this.#cluster;
    const going = startControllers([deviceNodes], { ...this.#cluster, discover: async () => [] });
    await clock.advance(1000);
    await going;
    const isThere = () => this.#isThere;
    const handler: DiscoveryHandler = {
      name: "sim",
      shared: true,
      async *discover({ signal }: DiscoverRequest) {
        while (!signal.aborted) {
          yield isThere() ? [{ id: "press", properties: {}, mounts: [], nodes: [] }] : [];
          await sleep(clock, 5000, signal).catch(() => {});
        }
      },
    };
    for (let i = 0; i < this.#given.nodes; i++) {
      const name = `node-${i}`;
      await client.create(nodeKind, { apiVersion: "v1", kind: "Node", metadata: { name } });
      await this.#setReady(name, "True");
      const random = seededRandom(this.#given.seed * 100 + i);
      const parts = { hub: client, handler, resourceName: "akri.sh/press", clock, random };
      const node = new DeviceNode({ name, ...parts });
      this.#nodes.push(node);
      void node.start().catch(() => {});
    }
    const spec = { discoveryHandler: { name: "sim" }, capacity: this.#given.capacity };
    const metadata = { name: "press" };
    const press = { apiVersion: "akri.sh/v0", kind: "Configuration", metadata, spec };
    await client.create({ ...configurations, namespace }, press);
  }

  async #step() {
    await this.#keepUsers();
    for (const node of this.#nodes) node.look();
    await this.#clock.advance(stepMs);
    await this.#followNodes();
    const running = this.#running();
    for (const node of this.#nodes) for (const uid of node.held.keys()) this.#served.add(uid);
    if (running > this.#given.capacity)
      this.#violated(`${running} use ${this.#given.capacity} slots`);
  }

  #below = (limit: number) => Math.floor(this.#random.float() * limit);

  #running = () => this.#nodes.reduce((sum, { held }) => sum + held.size, 0);

  #violated(what: string) {
    this.report.violations.push(`${Math.round(this.#clock.monotonic() / 1000)} s: ${what}`);
  }

  /** As a Deployment and a scheduler would, without much thought. */
  async #keepUsers() {
    const { client } = this.#cluster;
    const { items } = await client.list({ ...pods, namespace });
    const isDone = (phase: string) => phase === "Failed";
    for (const { metadata, status } of items) {
      if (!isDone(status?.phase)) continue;
      const target = { ...pods, namespace, name: metadata.name };
      await client.delete(target, { gracePeriodSeconds: 0 }).catch(() => {});
    }
    const alive = items.filter(
      (one) => !one.metadata.deletionTimestamp && !isDone(one.status?.phase),
    );
    const ready = this.#nodes.filter(({ name }) => !this.#silentSince.has(name));
    if (alive.length >= this.#given.users || ready.length === 0) return;
    const { name: nodeName } = ready[this.#below(ready.length)]!;
    const resources = { limits: { "akri.sh/press": "1" } };
    await client.create(
      { ...pods, namespace },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `user-${this.#pod++}` },
        spec: { nodeName, containers: [{ name: "main", image: "x", resources }] },
      },
    );
  }

  async #setReady(name: string, status: string) {
    const conditions = [{ type: "Ready", status, reason: "x", message: "" }];
    const target = { ...nodeKind, name, subresource: "status" };
    await this.#cluster.client.patch(target, "merge", { status: { conditions } });
  }

  /** Says who is lost, and evicts what ran there. */
  async #followNodes() {
    const now = this.#clock.monotonic();
    for (const node of this.#nodes) {
      const { name } = node;
      const since = this.#silentSince.get(name);
      if (node.isAlive && node.link.isUp) {
        if (since !== undefined) await this.#setReady(name, "True");
        this.#silentSince.delete(name);
      } else if (since === undefined) this.#silentSince.set(name, now);
      else if (now - since >= lostMs && now - since < lostMs + stepMs) {
        this.#count("lost");
        await this.#setReady(name, "Unknown");
        await this.#deletePods(({ spec }) => spec.nodeName === name);
      }
    }
  }

  async #deletePods(which: (pod: any) => boolean) {
    const { client } = this.#cluster;
    const { items } = await client.list({ ...pods, namespace });
    for (const pod of items.filter(which)) {
      const target = { ...pods, namespace, name: pod.metadata.name };
      await client.delete(target, { gracePeriodSeconds: 30 }).catch(() => {});
    }
  }

  #count(fault: string) {
    this.report.faults[fault] = (this.report.faults[fault] ?? 0) + 1;
  }

  async #trouble() {
    const node = this.#nodes[this.#below(this.#nodes.length)]!;
    const chance = this.#random.float();
    if (chance < 0.2) {
      if (node.isAlive) {
        this.#count("killed");
        node.kill();
      } else void node.start().catch(() => {});
    } else if (chance < 0.45) {
      if (node.link.isUp) {
        this.#count("cut");
        node.link.cut();
      } else node.link.mend();
    } else if (chance < 0.65) {
      this.#count("deleted");
      const which = this.#below(this.#given.users);
      let seen = 0;
      await this.#deletePods(() => seen++ === which);
    } else if (chance < 0.7) {
      this.#count("vanished");
      this.#isThere = !this.#isThere;
    } else if (!node.isAlive) void node.start().catch(() => {});
    else node.link.mend();
  }

  async #mend() {
    this.#isThere = true;
    for (const node of this.#nodes) {
      node.link.mend();
      if (!node.isAlive) void node.start().catch(() => {});
    }
  }
}

export const simulateDevices = (given: DeviceStory) => new Story(given).tell();
