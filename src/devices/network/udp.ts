// Questions by datagram: to one, or to a group on every network of the machine.
import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP, SocketAddress } from "node:net";
import { networkInterfaces } from "node:os";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Endpoint } from "./addresses.ts";
import { shown } from "./addresses.ts";
import { atOnce } from "./at-once.ts";

const answersMax = 4096;
/** One that answers without end must not use up the others' share. */
const answersOfOneMax = 64;

export interface UdpQuestion {
  message: Buffer | string;
  to: Endpoint[];
  /** Groups are asked on every network of the machine, and anybody may answer; otherwise those who were asked. */
  isGroup?: boolean;
  waitMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** What is no answer throws, and is passed over. True ends the wait. */
  answer(bytes: Buffer, from: RemoteInfo): boolean | void;
}

function send(socket: Socket, message: Buffer | string, { host, port }: Endpoint) {
  return new Promise<void>((sent) => socket.send(message, port, host, () => sent()));
}

/** A machine's devices are most often not on the network that its default route leads to. */
async function sendEverywhere(socket: Socket, message: Buffer | string, to: Endpoint) {
  const faces = Object.values(networkInterfaces()).flatMap((face) => face ?? []);
  for (const { address, family, internal } of faces) {
    if (family !== "IPv4" || internal) continue;
    try {
      socket.setMulticastInterface(address);
    } catch {
      // It went a moment ago.
      continue;
    }
    await send(socket, message, to);
  }
}

interface Resolved extends Endpoint {
  family: 4 | 6;
}

/** By address, written as an answer's sender is. */
async function resolved({ host, port }: Endpoint): Promise<Resolved> {
  const { address, family } = await lookup(host);
  if (family === 4) return { host: address, port, family };
  const plain = new SocketAddress({ address, family: "ipv6" }).address;
  return { host: plain, port, family: 6 };
}

async function openSocket(
  family: 4 | 6,
  hear: (bytes: Buffer, from: RemoteInfo) => void,
): Promise<Socket> {
  const socket = createSocket({ type: `udp${family}`, reuseAddr: true }, hear);
  const bound = once(socket, "listening");
  socket.bind(0);
  try {
    await bound;
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("error", () => {});
  return socket;
}

class Asking {
  readonly #question: UdpQuestion;
  readonly #enough = new AbortController();
  readonly #until: AbortSignal;
  readonly #sockets = new Map<4 | 6, Promise<Socket>>();
  readonly #asked = new Set<string>();
  readonly #answers = new Map<string, number>();
  #count = 0;

  constructor(question: UdpQuestion) {
    this.#question = question;
    this.#until = AbortSignal.any([question.signal, this.#enough.signal]);
  }

  async run() {
    const { clock, waitMs } = this.#question;
    try {
      const asking = this.#askAll();
      const wait = sleep(clock, waitMs, this.#until).catch(() => {});
      await Promise.all([Promise.race([asking, wait]), wait]);
    } finally {
      this.#enough.abort();
      for (const open of this.#sockets.values()) {
        void open.then(
          (socket) => socket.close(),
          () => {},
        );
      }
    }
  }

  async #askAll() {
    const { to, isGroup = false, message } = this.#question;
    if (isGroup) {
      const socket = await this.#open(4);
      for (const one of to) await sendEverywhere(socket, message, one);
      return;
    }
    const plain = to.filter(({ host }) => isIP(host) !== 0);
    const named = to.filter(({ host }) => isIP(host) === 0);
    await this.#ask(await Promise.all(plain.map(resolved)));
    await atOnce(named, async (one) => this.#ask([await resolved(one)]));
  }

  async #ask(endpoints: Resolved[]) {
    for (const family of [4, 6] as const) {
      const some = endpoints.filter((one) => one.family === family);
      if (some.length === 0) continue;
      const socket = await this.#open(family);
      for (const one of some) {
        if (this.#until.aborted) return;
        this.#asked.add(shown(one));
        await send(socket, this.#question.message, one);
      }
    }
  }

  #open(family: 4 | 6): Promise<Socket> {
    const open = this.#sockets.get(family) ?? openSocket(family, this.#hear);
    this.#sockets.set(family, open);
    return open;
  }

  readonly #hear = (bytes: Buffer, from: RemoteInfo) => {
    const { isGroup = false, answer } = this.#question;
    const sender = { host: from.address, port: from.port };
    if (!isGroup && !this.#asked.has(shown(sender))) return;
    const count = (this.#answers.get(from.address) ?? 0) + 1;
    this.#answers.set(from.address, count);
    if (count > answersOfOneMax || ++this.#count > answersMax) return;
    try {
      if (answer(bytes, from) === true) this.#enough.abort();
    } catch {
      // Whoever it was, it is none of those who were asked for.
    }
  };
}

/** Resolves when the time is over, or when an answer ended it. */
export const askUdp = (question: UdpQuestion): Promise<void> => new Asking(question).run();
