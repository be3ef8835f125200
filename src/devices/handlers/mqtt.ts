// Topics of an MQTT broker: each that is published to and matches is a device. It is gone when it says so, by its
// will or by an empty message, and, where that is asked for, when it was silent for a while.
import { readDetails, textList } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler, HandlerWorld } from "../discovery/handler.ts";
import { brokerUrl, MqttClient } from "../mqtt/client.ts";
import { openMqttTwin } from "../mqtt/twin.ts";
import { matchTopic } from "../mqtt/packets.ts";
import { loginOf } from "../discovery/properties.ts";
import { Signal } from "../../lib/signal.ts";
import { trustOf } from "../network/trust.ts";

const devicesMax = 4096;
const silentSecondsMax = 86_400;
const settleMs = 50;
/** Who may publish may name topics of 64 KiB. */
const topicCharsMax = 1024;

interface Wishes {
  url: URL;
  topics: string[];
  offline: Set<string>;
  silentMs: number | undefined;
}

function wishesIn(text: string): Wishes {
  const details = readDetails(text, ["brokerUrl", "topics", "offlinePayloads", "silentSeconds"]);
  const topics = textList(details, "topics");
  const odd = topics.find((one) => !/^(?:[^#+]|(?<=^|\/)\+(?=\/|$)|(?<=^|\/)#$)+$/.test(one));
  if (topics.length === 0 || odd !== undefined) {
    const said = odd === undefined ? "Required value" : `${JSON.stringify(odd)} is no topic filter`;
    throw new DetailsError(`discoveryDetails.topics: ${said}`);
  }
  const seconds: unknown = details["silentSeconds"];
  const isTime =
    Number.isInteger(seconds) &&
    (seconds as number) >= 1 &&
    (seconds as number) <= silentSecondsMax;
  if (seconds !== undefined && !isTime) {
    throw new DetailsError(`discoveryDetails.silentSeconds: expected 1 to ${silentSecondsMax}`);
  }
  const payloads = details["offlinePayloads"] ? textList(details, "offlinePayloads") : ["offline"];
  return {
    url: brokerUrl(details["brokerUrl"]),
    topics,
    offline: new Set(payloads),
    silentMs: seconds === undefined ? undefined : (seconds as number) * 1000,
  };
}

class Topics {
  readonly #wishes: Wishes;
  readonly #world: HandlerWorld;
  readonly #seen = new Map<string, { device: Device; at: number }>();

  constructor(wishes: Wishes, world: HandlerWorld) {
    this.#wishes = wishes;
    this.#world = world;
  }

  /** True when a device came or went. */
  hear(topic: string, payload: Buffer): boolean {
    const { topics, offline } = this.#wishes;
    if (topic.length > topicCharsMax) return false;
    if (payload.length === 0 || offline.has(payload.toString())) return this.#seen.delete(topic);
    const levels = topics.map((filter) => matchTopic(filter, topic)).find((one) => one);
    if (!levels) return false;
    const known = this.#seen.get(topic);
    if (!known && this.#seen.size >= devicesMax) return false;
    const device = known?.device ?? this.#deviceOf(topic, levels);
    this.#seen.set(topic, { device, at: this.#world.clock.monotonic() });
    return !known;
  }

  /** True when one was silent for too long. */
  forgetSilent(): boolean {
    const { silentMs } = this.#wishes;
    if (silentMs === undefined) return false;
    const since = this.#world.clock.monotonic() - silentMs;
    const silent = [...this.#seen].filter(([, { at }]) => at < since);
    for (const [topic] of silent) this.#seen.delete(topic);
    return silent.length > 0;
  }

  devices(): Device[] {
    return [...this.#seen.values()]
      .map(({ device }) => device)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #deviceOf(topic: string, levels: string[]): Device {
    const { host, protocol } = this.#wishes.url;
    const named = levels.map((level, i) => [`MQTT_LEVEL_${i + 1}`, level]);
    return {
      id: `${host}/${topic}`,
      properties: {
        MQTT_BROKER_URL: `${protocol}//${host}`,
        MQTT_TOPIC: topic,
        ...Object.fromEntries(named),
      },
      mounts: [],
      nodes: [],
    };
  }
}

export const mqtt: DiscoveryHandler = {
  name: "mqtt",
  shared: true,
  check: wishesIn,
  async *discover(request, world) {
    const wishes = wishesIn(request.details);
    const { clock, random } = world;
    const ends = new AbortController();
    const signal = AbortSignal.any([request.signal, ends.signal]);
    const clientId = `kerb-${random.uuid().slice(0, 13)}`;
    const login = { url: wishes.url.href, clientId, ...loginOf(request.properties) };
    const trust = trustOf(request.properties);
    const client = await MqttClient.open({ ...login, trust, clock, signal });
    const topics = new Topics(wishes, world);
    const changed = new Signal(signal);
    client.subscribe(wishes.topics);
    const listen = async () => {
      for await (const { topic, payload } of client.publications()) {
        if (topics.hear(topic, payload)) changed.raise();
      }
    };
    const listening = listen().finally(() => ends.abort());
    listening.catch(() => {});
    const stop = clock.every(1000, () => void (topics.forgetSilent() && changed.raise()));
    try {
      // Retained messages come one by one.
      clock.after(settleMs, () => changed.raise());
      let told: string | undefined;
      while (await changed.next()) {
        const devices = topics.devices();
        const text = JSON.stringify(devices);
        if (text !== told) yield devices;
        told = text;
      }
      await listening;
    } finally {
      stop();
      client.close();
    }
  },
  openTwin: (device, request, { clock, random }) => {
    const clientId = `kerb-${random.uuid().slice(0, 13)}`;
    return openMqttTwin(device, {
      login: loginOf(request.properties),
      trust: trustOf(request.properties),
      clientId,
      clock,
      signal: request.signal,
    });
  },
};
