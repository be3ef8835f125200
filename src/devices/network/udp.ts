// Questions by datagram: to one, or to a group on every network of the machine.
import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Endpoint } from "./addresses.ts";

const answersMax = 4096;

export interface UdpQuestion {
  message: Buffer | string;
  to: Endpoint[];
  /** Groups are asked on every network of the machine. */
  isGroup?: boolean;
  waitMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** What is no answer throws, and is passed over. True ends the wait. */
  answer(bytes: Buffer, from: RemoteInfo): boolean | void;
}

function send(socket: Socket, message: Buffer | string, { host, port }: Endpoint) {
  return new Promise((sent) => socket.send(message, port, host, sent));
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

/** Resolves when the time is over, or when an answer ended it. */
export async function askUdp(question: UdpQuestion): Promise<void> {
  const { message, to, isGroup = false, waitMs, clock, signal, answer } = question;
  const isV6 = to.some(({ host }) => host.includes(":"));
  const socket = createSocket({ type: isV6 ? "udp6" : "udp4", reuseAddr: true });
  const enough = new AbortController();
  let answers = 0;
  socket.on("message", (bytes, from) => {
    if (++answers > answersMax) return;
    try {
      if (answer(bytes, from) === true) enough.abort();
    } catch {
      // Whoever it was, it is none of those who were asked for.
    }
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, resolve);
    });
    socket.on("error", () => {});
    for (const one of to) {
      await (isGroup ? sendEverywhere(socket, message, one) : send(socket, message, one));
    }
    const until = AbortSignal.any([signal, enough.signal]);
    await sleep(clock, waitMs, until).catch(() => {});
  } finally {
    socket.close();
  }
}
