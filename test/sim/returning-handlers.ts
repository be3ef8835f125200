// An agent that starts again while the discovery handlers of others come back late, slowly, in another order and
// with less to say at first, and one of which dies once more: one seed, one story. What stood stays as it is.
import { resource } from "../../src/client/client.ts";
import { configurations } from "../../src/devices/kinds/configuration.ts";
import { instances } from "../../src/devices/kinds/instance.ts";
import type {
  Device,
  DiscoverRequest,
  DiscoveryHandler,
} from "../../src/devices/discovery/handler.ts";
import type { Handlers } from "../../src/devices/discovery/handlers.ts";
import { sleep } from "../../src/lib/clock.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { jsonEqual } from "../../src/lib/json.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { startDeviceCluster } from "../support/devices.ts";
import type { DeviceCluster } from "../support/devices.ts";

const pods = resource("v1", "pods");
const namespace = "default";
const name = "press";
const devicesMax = 8;
/** By then every handler has said all it sees; what stood is held for a minute. */
const backMs = 55_000;

interface Word {
  atMs: number;
  devices: Device[];
}

interface Returning {
  handler: DiscoveryHandler;
  /** When it registers. */
  atMs: number;
  remove: () => void;
}

export class ReturningHandlers {
  readonly #clock = new FakeClock();
  readonly #random;
  readonly violations: string[] = [];
  #cluster!: DeviceCluster;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  async tell(): Promise<string[]> {
    const starting = startDeviceCluster({ clock: this.#clock });
    await this.#clock.advance(1000);
    this.#cluster = await starting;
    const all = Array.from({ length: 2 + this.#below(3) }, (_, i) => this.#devicesOf(i));
    const [own, ...others] = all.map((devices) => this.#handler([{ atMs: 0, devices }]));
    const first = await this.#start(own!);
    for (const one of others) first.handlers.add(one);
    await this.#configure();
    await this.#clock.advance(20_000);
    const before = await this.#standing();
    if (before.length === 0) this.violations.push("nothing stands");
    await first.stop();

    const second = await this.#start(this.#returning(all[0]!, 0).handler);
    const rest = this.#shuffled(all.slice(1));
    const back = rest.map((devices) => this.#returning(devices, this.#below(30_000)));
    for (const one of back) this.#addAt(second.handlers, one);
    await this.#watch(before, 90_000, "while the agent starts again");

    const [dying] = back;
    dying!.remove();
    this.#addAt(second.handlers, this.#returning(rest[0]!, this.#below(30_000)));
    await this.#watch(before, 90_000, "while a handler comes back");
    await this.#cluster.scope.close();
    return this.violations;
  }

  #below = (limit: number) => Math.floor(this.#random.float() * limit);

  #shuffled = <T>(list: T[]): T[] =>
    list
      .map((one) => ({ one, at: this.#random.float() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ one }) => one);

  /** Handlers may see the same device and say other things of it. */
  #devicesOf(handler: number): Device[] {
    const ids = Array.from({ length: devicesMax }, (_, i) => `device-${i}`);
    return ids
      .filter(() => this.#random.float() < 0.6)
      .map((id) => ({
        id,
        properties: {
          ID: id,
          ADDRESS: "10.0.0.1",
          ...(this.#below(3) === 0 && { BY: `${handler}` }),
        },
        mounts: [],
        nodes: [],
      }));
  }

  #handler(words: Word[]): DiscoveryHandler {
    const clock = this.#clock;
    return {
      name: "sim",
      shared: true,
      async *discover({ signal }: DiscoverRequest) {
        const began = clock.monotonic();
        for (const { atMs, devices } of words) {
          await sleep(clock, began + atMs - clock.monotonic(), signal);
          yield devices;
        }
        await sleep(clock, 3_600_000, signal);
      },
    };
  }

  /** One that is asked `atMs` after it was lost, and has said everything when `backMs` have passed. */
  #returning(devices: Device[], atMs: number): Returning {
    const words = Array.from({ length: this.#below(3) }, () => ({
      atMs: this.#below(backMs - atMs),
      devices: devices.filter(() => this.#random.float() < 0.7).map((one) => this.#lessOf(one)),
    })).toSorted((a, b) => a.atMs - b.atMs);
    const handler = this.#handler([...words, { atMs: backMs - atMs, devices }]);
    return { handler, atMs, remove: () => {} };
  }

  #lessOf(device: Device): Device {
    if (this.#random.float() < 0.6) return device;
    const { ADDRESS: _, ...properties } = device.properties;
    return { ...device, properties };
  }

  async #start(own: DiscoveryHandler) {
    const starting = this.#cluster.addNode("a", { handlers: [own] });
    await this.#clock.advance(0);
    return starting;
  }

  #addAt(handlers: Handlers, one: Returning) {
    this.#clock.after(one.atMs, () => (one.remove = handlers.add(one.handler)));
  }

  async #configure() {
    const limits = { "{{PLACEHOLDER}}": "1" };
    const containers = [{ name: "broker", image: "x", resources: { limits } }];
    const brokerSpec = { brokerPodSpec: { containers } };
    const spec = { discoveryHandler: { name: "sim" }, capacity: 2, brokerSpec };
    const press = { apiVersion: "akri.sh/v0", kind: "Configuration", metadata: { name }, spec };
    await this.#cluster.client.create({ ...configurations, namespace }, press);
  }

  /** What nobody may touch: of Instances all but their status, of brokers which they are. */
  async #standing() {
    const { client } = this.#cluster;
    const found = await client.list({ ...instances, namespace });
    const brokers = await client.list({ ...pods, namespace });
    const told = [
      ...found.items.map(({ metadata: { uid, deletionTimestamp, annotations }, spec, ...one }) => [
        one.kind,
        { uid, deletionTimestamp, annotations, spec },
      ]),
      ...brokers.items.map(({ metadata: { uid, deletionTimestamp } }) => [
        "Pod",
        { uid, deletionTimestamp },
      ]),
    ];
    return told;
  }

  async #watch(before: unknown, ms: number, when: string) {
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.#clock.advance(1000);
      const now = await this.#standing();
      if (jsonEqual(JSON.parse(JSON.stringify(now)), JSON.parse(JSON.stringify(before)))) continue;
      this.violations.push(`${when}, after ${passed} ms: ${JSON.stringify(now)}`);
      return;
    }
  }
}
