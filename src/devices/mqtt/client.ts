// A connection to an MQTT broker: it subscribes, publishes with an answer, and says when it is over.
import type { Socket } from "node:net";
import { once } from "node:events";
import { isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../lib/clock.ts";
import { DetailsError } from "../discovery/handler.ts";
import { AnswerError } from "../network/answer-error.ts";
import { frames, inTime, openTcp } from "../network/tcp.ts";
import type { Trust } from "../network/trust.ts";
import {
  connectPacket,
  isSubackRefusal,
  kindOf,
  kinds,
  packet,
  packetLength,
  pubackPacket,
  publishPacket,
  readConnack,
  readPuback,
  readPublication,
  subscribePacket,
} from "./packets.ts";
import type { Publication } from "./packets.ts";

const packetBytesMax = 256 * 1024;
const keepAliveSeconds = 30;
const answerMsMax = 5000;
const waitingMax = 1000;

export interface MqttOptions {
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  url: string;
  clientId: string;
  username?: string;
  password?: string;
  /** Of `mqtts`; default: the authorities that Node knows. */
  trust?: Trust | undefined;
  clock: Clock;
  signal: AbortSignal;
}

/** Throws DetailsError. */
export function brokerUrl(text: unknown): URL {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url && ["mqtt:", "mqtts:"].includes(url.protocol) && url.hostname) return url;
  throw new DetailsError(
    "discoveryDetails.brokerUrl: expected mqtt://HOST:PORT or mqtts://HOST:PORT",
  );
}

const refusals = [
  "",
  "version",
  "client id",
  "it is not available",
  "name or password",
  "not allowed",
];

async function openSocket({ url, trust, signal }: MqttOptions): Promise<Socket> {
  const { protocol, hostname, port } = brokerUrl(url);
  const isTls = protocol === "mqtts:";
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const socket = await openTcp({ host, port: Number(port) || (isTls ? 8883 : 1883) }, signal);
  if (!isTls) return socket;
  const secure = connectTls({ socket, host, ...(!isIP(host) && { servername: host }), ...trust });
  try {
    await inTime(secure, answerMsMax, () => once(secure, "secureConnect", { signal }));
  } catch (error) {
    secure.destroy();
    throw error;
  }
  return secure;
}

export class MqttClient {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #packets: AsyncGenerator<Buffer>;
  readonly #waiting = new Map<number, (done: boolean) => void>();
  readonly #stopPings: () => void;
  #id = 0;

  /** Resolves once the broker let it in. */
  static async open(options: MqttOptions): Promise<MqttClient> {
    const socket = await openSocket(options);
    const close = () => socket.destroy();
    const { signal } = options;
    signal.addEventListener("abort", close, { once: true });
    socket.once("close", () => signal.removeEventListener("abort", close));
    const client = new MqttClient(socket, options.clock);
    try {
      await inTime(socket, answerMsMax, () => client.#login(options));
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on("error", () => {});
    this.#packets = frames(socket, packetLength, packetBytesMax);
    const ping = () => socket.write(packet(kinds.pingreq, 0));
    this.#stopPings = clock.every((keepAliveSeconds * 1000) / 2, ping);
    // A broker that does not even answer pings is gone.
    socket.setTimeout(keepAliveSeconds * 1000, () => socket.destroy());
  }

  async #login({ clientId, username, password }: MqttOptions) {
    const login = {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    };
    this.#socket.write(connectPacket({ clientId, keepAliveSeconds, ...login }));
    const { value } = await this.#packets.next();
    if (!value || kindOf(value) !== kinds.connack) throw new AnswerError("it is no MQTT broker");
    const code = readConnack(value);
    if (code !== 0) throw new Error(`the broker refused: ${refusals[code] ?? code}`);
  }

  subscribe(topics: string[]) {
    this.#socket.write(subscribePacket(this.#nextId(), topics));
  }

  /** True once the broker has it. */
  publish(topic: string, payload: Buffer, { retain = false }: { retain?: boolean } = {}) {
    const id = this.#nextId();
    if (this.#waiting.size >= waitingMax) return Promise.resolve(false);
    return new Promise<boolean>((resolve) => {
      const done = (isDone: boolean) => {
        stop();
        this.#waiting.delete(id);
        resolve(isDone);
      };
      const stop = this.#clock.after(answerMsMax, () => done(false));
      this.#waiting.set(id, done);
      this.#socket.write(publishPacket({ topic, payload, retain, id }));
    });
  }

  /** What the broker sends; ends with the connection. */
  async *publications(): AsyncGenerator<Publication> {
    try {
      for await (const bytes of this.#packets) {
        const kind = kindOf(bytes);
        if (kind === kinds.puback) this.#waiting.get(readPuback(bytes))?.(true);
        if (kind === kinds.suback && isSubackRefusal(bytes)) {
          throw new Error("the broker refused the subscription");
        }
        if (kind !== kinds.publish) continue;
        const publication = readPublication(bytes);
        if (publication.id !== undefined) this.#socket.write(pubackPacket(publication.id));
        yield publication;
      }
    } finally {
      this.close();
    }
  }

  close() {
    this.#stopPings();
    for (const done of this.#waiting.values()) done(false);
    this.#socket.end(packet(kinds.disconnect, 0));
    this.#socket.destroySoon();
  }

  #nextId() {
    return (this.#id = (this.#id % 0xffff) + 1);
  }
}
