// Values of a device that speaks MQTT: it reports on topics and is told on others, whole payloads or fields of JSON.
import type { Clock } from "../../lib/clock.ts";
import { isObject } from "../../lib/json.ts";
import { PropertyRefused } from "../twins/channel.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";
import type { Device } from "../discovery/handler.ts";
import type { Trust } from "../network/trust.ts";
import { MqttClient } from "./client.ts";

const topicsMax = 256;
const firstWordMs = 1000;

interface Topics {
  topic: string;
  setTopic: string | undefined;
  /** Of a JSON payload; the payload itself otherwise. */
  field: string | undefined;
  retain: boolean;
}

/** Topics are the device's own with a part behind, or whole ones that begin with a slash less. */
export function topicsOf(access: Access, { properties }: Device): Topics {
  const { topic, setTopic, field, retain = false } = access;
  const own = properties["MQTT_TOPIC"]!;
  const isText = (one: unknown) =>
    one === undefined || (typeof one === "string" && !/[#+\0]/.test(one));
  if (!isText(topic) || !isText(setTopic) || !isText(field)) {
    throw new PropertyRefused("access: topic, setTopic and field are texts without wildcards");
  }
  const whole = (text: string) => text.replaceAll("$(TOPIC)", own);
  return {
    topic: whole(topic ?? own),
    setTopic: setTopic === undefined ? undefined : whole(setTopic),
    field,
    retain: retain === true,
  };
}

export function valueIn(payload: Buffer, field: string | undefined): string | undefined {
  const text = payload.toString();
  if (field === undefined) return text;
  try {
    const parsed: unknown = JSON.parse(text);
    const value = isObject(parsed) ? parsed[field] : undefined;
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Numbers and truths are themselves in JSON. */
export function payloadOf(value: string, field: string | undefined): string {
  if (field === undefined) return value;
  const isLiteral = /^(true|false|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(value);
  return JSON.stringify({ [field]: isLiteral ? JSON.parse(value) : value });
}

export interface MqttTwinOptions {
  login: { username: string; password: string } | undefined;
  trust?: Trust | undefined;
  clientId: string;
  clock: Clock;
  signal: AbortSignal;
}

export async function openMqttTwin(device: Device, options: MqttTwinOptions): Promise<TwinChannel> {
  const { login, ...more } = options;
  const url = device.properties["MQTT_BROKER_URL"]!;
  const client = await MqttClient.open({ url, ...login, ...more });
  const said = new Map<string, Buffer>();
  const waiting = new Map<string, () => void>();
  const asked = new Set<string>();
  const listen = async () => {
    for await (const { topic, payload } of client.publications()) {
      if (!asked.has(topic)) continue;
      said.set(topic, Buffer.from(payload));
      waiting.get(topic)?.();
    }
  };
  /** What is retained comes at once. */
  const firstWord = (topic: string) =>
    new Promise<void>((resolve) => {
      const stop = options.clock.after(firstWordMs, resolve);
      waiting.set(topic, () => {
        stop();
        resolve();
      });
    });
  return {
    closed: listen().catch(() => {}),
    async read(access) {
      const { topic, field } = topicsOf(access, device);
      if (!asked.has(topic)) {
        if (asked.size >= topicsMax) throw new PropertyRefused(`more than ${topicsMax} topics`);
        asked.add(topic);
        const word = firstWord(topic);
        client.subscribe([topic]);
        await word;
      }
      const payload = said.get(topic);
      return payload && valueIn(payload, field);
    },
    async write(access, value) {
      const { setTopic, field, retain } = topicsOf(access, device);
      if (setTopic === undefined) throw new PropertyRefused("access.setTopic: needed to write");
      const isDone = await client.publish(setTopic, Buffer.from(payloadOf(value, field)), {
        retain,
      });
      if (!isDone) throw new Error("the broker did not take it");
    },
    close: () => client.close(),
  };
}
