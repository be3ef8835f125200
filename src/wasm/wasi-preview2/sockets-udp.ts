// wasi:sockets/udp, over Node's own sockets. What nobody reads is lost, as the kernel would have it.
import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { once } from "node:events";
import { Outcome, Pollable } from "./poll.ts";
import type { PollableState } from "./poll.ts";
import { fixSettings } from "./socket-settings.ts";
import { refuse } from "./refuse.ts";
import { addressOf, hostOf, socketErrorOf } from "./socket-addresses.ts";
import type { SocketAddress } from "./socket-addresses.ts";

interface Datagram {
  data: Uint8Array;
  remoteAddress: SocketAddress;
}

const arrivedMax = 256;
const sendingMax = 64;
const datagramBytesMax = 65_507;

/** Whoever waits for a change. */
class Wakes {
  readonly #all = new Set<() => void>();

  state(isReady: () => boolean): PollableState {
    const listen = (wake: () => void) => {
      this.#all.add(wake);
      return () => this.#all.delete(wake);
    };
    return { isReady, listen };
  }

  wake() {
    for (const one of this.#all) one();
  }
}

const isSame = (one: SocketAddress, other: SocketAddress) =>
  one.val.port === other.val.port && hostOf(one) === hostOf(other);

class IncomingDatagramStream {
  readonly #arrived: Datagram[] = [];
  readonly #wakes = new Wakes();
  readonly #close: () => void;

  constructor(socket: Socket, remote: SocketAddress | undefined) {
    const take = (data: Buffer, { address, port }: RemoteInfo) => {
      const remoteAddress = addressOf(address, port);
      if (remote && !isSame(remote, remoteAddress)) return;
      if (this.#arrived.length >= arrivedMax) return;
      this.#arrived.push({ data, remoteAddress });
      this.#wakes.wake();
    };
    socket.on("message", take);
    this.#close = () => void socket.off("message", take);
  }

  receive(count: bigint): Datagram[] {
    return this.#arrived.splice(0, Number(count < arrivedMax ? count : arrivedMax));
  }

  subscribe() {
    return new Pollable(this.#wakes.state(() => this.#arrived.length > 0));
  }

  [Symbol.dispose]() {
    this.#close();
  }
}

class OutgoingDatagramStream {
  readonly #socket: Socket;
  readonly #remote: SocketAddress | undefined;
  readonly #wakes = new Wakes();
  #sending = 0;
  #failure: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket, remote: SocketAddress | undefined) {
    this.#socket = socket;
    this.#remote = remote;
  }

  checkSend(): bigint {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) refuse(socketErrorOf(failure));
    return BigInt(sendingMax - this.#sending);
  }

  send(datagrams: { data: Uint8Array; remoteAddress?: SocketAddress }[]): bigint {
    let sent = 0n;
    for (const { data, remoteAddress } of datagrams) {
      const to = remoteAddress ?? this.#remote ?? refuse("invalid-argument");
      const isElsewhere = this.#remote && !isSame(this.#remote, to);
      if (isElsewhere || to.val.port === 0) refuse("invalid-argument");
      if (data.length > datagramBytesMax) refuse("datagram-too-large");
      if (this.#sending >= sendingMax) break;
      this.#sending += 1;
      this.#socket.send(data, to.val.port, hostOf(to), (error) => {
        this.#sending -= 1;
        if (error) this.#failure = error;
        this.#wakes.wake();
      });
      sent += 1n;
    }
    return sent;
  }

  subscribe() {
    return new Pollable(this.#wakes.state(() => this.#sending < sendingMax));
  }
}

export class UdpSocket {
  readonly #family: "ipv4" | "ipv6";
  readonly #socket: Socket;
  #binding: Outcome<unknown> | undefined;
  #isBound = false;
  #remote: SocketAddress | undefined;

  constructor(family: "ipv4" | "ipv6") {
    this.#family = family;
    this.#socket = createSocket({ type: family === "ipv4" ? "udp4" : "udp6" });
    this.#socket.on("error", () => {});
  }

  startBind(_network: unknown, local: SocketAddress) {
    if (this.#isBound || this.#binding) refuse("invalid-state");
    if (local.tag !== this.#family) refuse("invalid-argument");
    this.#socket.bind({ address: hostOf(local), port: local.val.port, exclusive: true });
    this.#binding = new Outcome(once(this.#socket, "listening"));
  }

  finishBind() {
    const outcome = this.#binding ?? refuse("not-in-progress");
    if (!outcome.isReady) refuse("would-block");
    this.#binding = undefined;
    if (outcome.failure) refuse(socketErrorOf(outcome.failure));
    this.#isBound = true;
  }

  /** With an address, only that one is heard and spoken to. */
  stream(remote: SocketAddress | undefined) {
    if (!this.#isBound) refuse("invalid-state");
    if (remote && (remote.tag !== this.#family || remote.val.port === 0)) {
      refuse("invalid-argument");
    }
    this.#remote = remote;
    return [
      new IncomingDatagramStream(this.#socket, remote),
      new OutgoingDatagramStream(this.#socket, remote),
    ];
  }

  localAddress() {
    if (!this.#isBound) refuse("invalid-state");
    const { address, port } = this.#socket.address();
    return addressOf(address, port);
  }

  remoteAddress() {
    return this.#remote ?? refuse("invalid-state");
  }

  addressFamily() {
    return this.#family;
  }

  subscribe() {
    return new Pollable(this.#binding?.state() ?? { isReady: () => true });
  }

  [Symbol.dispose]() {
    this.#socket.close();
  }
}

fixSettings(UdpSocket, {
  unicastHopLimit: 64,
  receiveBufferSize: 65_536n,
  sendBufferSize: 65_536n,
});

export const udpInterfaces = {
  "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
  "wasi:sockets/udp-create-socket": {
    createUdpSocket: (family: "ipv4" | "ipv6") => new UdpSocket(family),
  },
};
