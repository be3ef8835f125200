// MQTT 3.1.1, as far as a client goes that subscribes and publishes with QoS 0 and 1. Pure.
import { AnswerError, reading } from "../network/answer-error.ts";

export const kinds = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  subscribe: 8,
  suback: 9,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

const text = (value: string) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

export function packet(kind: number, flags: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const size: number[] = [];
  for (let left = body.length; ; left >>>= 7) {
    size.push((left & 127) | (left > 127 ? 128 : 0));
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from([(kind << 4) | flags, ...size]), body]);
}

export interface Login {
  clientId: string;
  keepAliveSeconds: number;
  username?: string;
  password?: string;
}

export function connectPacket({ clientId, keepAliveSeconds, username, password }: Login): Buffer {
  const flags = 2 | (username === undefined ? 0 : 128) | (password === undefined ? 0 : 64);
  const head = Buffer.from([4, flags, keepAliveSeconds >> 8, keepAliveSeconds & 255]);
  const login = [username, password].filter((one) => one !== undefined).map(text);
  return packet(kinds.connect, 0, text("MQTT"), head, text(clientId), ...login);
}

const idBytes = (id: number) => Buffer.from([id >> 8, id & 255]);

export const subscribePacket = (id: number, topics: string[]) =>
  packet(
    kinds.subscribe,
    2,
    idBytes(id),
    ...topics.flatMap((topic) => [text(topic), Buffer.from([1])]),
  );

export interface Publication {
  topic: string;
  payload: Buffer;
  retain: boolean;
  /** Set when an answer is wanted. */
  id?: number;
}

export const publishPacket = ({ topic, payload, retain, id }: Publication) =>
  packet(
    kinds.publish,
    (id === undefined ? 0 : 2) | (retain ? 1 : 0),
    text(topic),
    ...(id === undefined ? [] : [idBytes(id)]),
    payload,
  );

export const pubackPacket = (id: number) => packet(kinds.puback, 0, idBytes(id));

/** Of the first packet; undefined while its length is not whole. Throws for a length that is none. */
export function packetLength(bytes: Buffer): number | undefined {
  let size = 0;
  for (let i = 0; i < 4; i++) {
    if (bytes.length < i + 2) return undefined;
    const byte = bytes.readUInt8(i + 1);
    size += (byte & 127) * 128 ** i;
    if (byte < 128) return i + 2 + size;
  }
  throw new AnswerError("a packet without length");
}

export function bodyOf(bytes: Buffer): Buffer {
  let at = 1;
  while (bytes.readUInt8(at) > 127) at += 1;
  return bytes.subarray(at + 1);
}

/** The kind of a whole packet. */
export const kindOf = (bytes: Buffer) => bytes.readUInt8(0) >> 4;

/** Why a CONNACK refuses; 0 when it does not. Throws AnswerError. */
export const readConnack = (bytes: Buffer) => reading(() => bodyOf(bytes).readUInt8(1));

/** What a PUBACK is about. Throws AnswerError. */
export const readPuback = (bytes: Buffer) => reading(() => bodyOf(bytes).readUInt16BE(0));

/** True when a SUBACK refuses one of the filters. Throws AnswerError. */
export const isSubackRefusal = (bytes: Buffer) => reading(() => bodyOf(bytes).includes(128, 2));

/** Throws AnswerError. */
export function readPublication(bytes: Buffer): Publication {
  const flags = bytes.readUInt8(0) & 15;
  return reading(() => {
    const body = bodyOf(bytes);
    const end = 2 + body.readUInt16BE(0);
    if (end > body.length) throw new AnswerError("the answer ends too early");
    const topic = body.toString("utf8", 2, end);
    const isAsked = (flags & 6) !== 0;
    const payload = body.subarray(end + (isAsked ? 2 : 0));
    const retain = (flags & 1) !== 0;
    return { topic, payload, retain, ...(isAsked && { id: body.readUInt16BE(end) }) };
  });
}

/** The levels that the filter's wildcards stand for; undefined when the topic does not match. */
export function matchTopic(filter: string, topic: string): string[] | undefined {
  const [wanted, levels] = [filter.split("/"), topic.split("/")];
  if (topic.startsWith("$") && !filter.startsWith("$")) return undefined;
  const found: string[] = [];
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return [...found, levels.slice(i).join("/")];
    if (levels[i] === undefined) return undefined;
    if (level === "+") found.push(levels[i]);
    else if (level !== levels[i]) return undefined;
  }
  return levels.length === wanted.length ? found : undefined;
}
