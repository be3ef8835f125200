// wasi:sockets: TCP and names, by way of the bridge. UDP is refused by name.
import { theBridge } from "./bridge.ts";
import type { Ticket } from "./bridge.ts";
import { Pollable } from "./poll.ts";
import { refuse } from "./refuse.ts";
import { InputStream, IoError, OutputStream } from "./streams.ts";
import type { Sink, Source } from "./streams.ts";

interface SocketAddress {
  tag: "ipv4" | "ipv6";
  val: { port: number; address: number[]; flowInfo?: number; scopeId?: number };
}

interface Connected {
  id: number;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

const errorCodes: Record<string, string> = {
  EACCES: "access-denied",
  EADDRINUSE: "address-in-use",
  EADDRNOTAVAIL: "address-not-bindable",
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-reset",
  EHOSTUNREACH: "remote-unreachable",
  ENETUNREACH: "remote-unreachable",
  ENOTFOUND: "name-unresolvable",
  EAI_AGAIN: "temporary-resolver-failure",
  EPERM: "access-denied",
  ETIMEDOUT: "timeout",
};
const errorOf = ({ code }: { code: string }) => errorCodes[code] ?? "unknown";

const hostOf = ({ tag, val }: SocketAddress) =>
  tag === "ipv4" ? val.address.join(".") : val.address.map((one) => one.toString(16)).join(":");

/** The eight groups of an address, with `::` filled in. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const numbers = (text = "") => (text ? text.split(":").map((one) => parseInt(one, 16)) : []);
  const [before, after] = [numbers(head), numbers(tail)];
  const zeroes = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: zeroes }, () => 0), ...after];
}

const ipOf = (address: string) =>
  address.includes(":")
    ? { tag: "ipv6", val: groupsOf(address) }
    : { tag: "ipv4", val: address.split(".").map(Number) };

function addressOf(address: string, port: number): SocketAddress {
  const { tag, val } = ipOf(address);
  const more = tag === "ipv6" ? { flowInfo: 0, scopeId: 0 } : {};
  return { tag, val: { port, address: val, ...more } } as SocketAddress;
}

class Network {}

/** Bytes of a connection: one read is always on its way. */
function socketSource(id: number): Source {
  let ticket = theBridge().start<Uint8Array | null>("read", { id });
  return {
    readiness: { isReady: () => ticket.isReady },
    read(length, wait) {
      if (wait) new Pollable(ticket.state()).block();
      if (!ticket.isReady) return new Uint8Array();
      if (ticket.failure) throw new IoError(ticket.failure.message, ticket.failure.code);
      const found = ticket.value;
      if (found === null) return undefined;
      const rest = found.subarray(length);
      if (rest.length > 0) ticket.answer = { id: 0, value: rest };
      else ticket = theBridge().start("read", { id });
      return found.subarray(0, length);
    },
  };
}

const roomBytesMax = 65_536;

function socketSink(id: number): Sink {
  let ticket: Ticket<void> | undefined;
  const isIdle = () => !ticket || ticket.isReady;
  return {
    readiness: { isReady: isIdle },
    room: () => (isIdle() ? roomBytesMax : 0),
    write(bytes) {
      ticket = theBridge().start("write", { id, bytes: Uint8Array.from(bytes) });
    },
    flush(wait) {
      if (wait && ticket) new Pollable(ticket.state()).block();
      if (ticket?.answer?.failure) throw new IoError("the connection is gone", "EPIPE");
    },
  };
}

const sinkAndSource = (id: number) =>
  [new InputStream(socketSource(id)), new OutputStream(socketSink(id))] as const;

export class TcpSocket {
  readonly #family: string;
  #local: SocketAddress | undefined;
  #connected: Connected | undefined;
  #listening: number | undefined;
  #pending: Ticket<Connected> | undefined;
  #accepting: Ticket<Connected> | undefined;

  constructor(family: string, connected?: Connected) {
    this.#family = family;
    this.#connected = connected;
  }

  startBind(_network: Network, local: SocketAddress) {
    if (this.#local || this.#connected) refuse("invalid-state");
    if (local.tag !== this.#family) refuse("invalid-argument");
    this.#local = local;
  }

  finishBind() {
    if (!this.#local) refuse("not-in-progress");
  }

  startConnect(_network: Network, remote: SocketAddress) {
    if (this.#connected || this.#listening !== undefined) refuse("invalid-state");
    if (remote.tag !== this.#family || remote.val.port === 0) refuse("invalid-argument");
    const argument = { host: hostOf(remote), port: remote.val.port };
    this.#pending = theBridge().start("connect", argument);
  }

  /** What was asked for, once it is there. */
  #finished(): Connected {
    const ticket = this.#pending ?? refuse("not-in-progress");
    if (!ticket.isReady) refuse("would-block");
    this.#pending = undefined;
    if (ticket.failure) refuse(errorOf(ticket.failure));
    return ticket.value;
  }

  finishConnect() {
    this.#connected = this.#finished();
    return sinkAndSource(this.#connected.id);
  }

  startListen() {
    if (!this.#local) refuse("invalid-state");
    const argument = { host: hostOf(this.#local), port: this.#local.val.port };
    this.#pending = theBridge().start("listen", argument);
  }

  finishListen() {
    const { id, localAddress, localPort } = this.#finished();
    this.#listening = id;
    this.#local = addressOf(localAddress, localPort);
  }

  accept() {
    if (this.#listening === undefined) refuse("invalid-state");
    this.#accepting ??= theBridge().start("accept", { id: this.#listening });
    if (!this.#accepting.isReady) refuse("would-block");
    const connected = this.#accepting.value;
    this.#accepting = undefined;
    return [new TcpSocket(this.#family, connected), ...sinkAndSource(connected.id)];
  }

  localAddress() {
    if (this.#connected) return addressOf(this.#connected.localAddress, this.#connected.localPort);
    return this.#local ?? refuse("invalid-state");
  }

  remoteAddress() {
    const { remoteAddress, remotePort } = this.#connected ?? refuse("invalid-state");
    return addressOf(remoteAddress, remotePort);
  }

  isListening() {
    return this.#listening !== undefined;
  }

  addressFamily() {
    return this.#family;
  }

  subscribe() {
    if (this.#listening !== undefined && !this.#pending) {
      this.#accepting ??= theBridge().start("accept", { id: this.#listening });
    }
    return new Pollable({ isReady: () => (this.#pending ?? this.#accepting)?.isReady ?? true });
  }

  shutdown(how: string) {
    if (!this.#connected) refuse("invalid-state");
    theBridge().start("shutdown", { id: this.#connected.id, how });
  }

  [Symbol.dispose]() {
    const id = this.#connected?.id ?? this.#listening;
    if (id !== undefined) theBridge().start("close", { id });
  }
}

/** Settings that the kernel's own values stand in for. */
const settings: Record<string, unknown> = {
  keepAliveEnabled: false,
  keepAliveIdleTime: 7_200_000_000_000n,
  keepAliveInterval: 75_000_000_000n,
  keepAliveCount: 9,
  hopLimit: 64,
  receiveBufferSize: 65_536n,
  sendBufferSize: 65_536n,
};
for (const [name, value] of Object.entries(settings)) {
  const setter = `set${name[0]!.toUpperCase()}${name.slice(1)}`;
  Object.assign(TcpSocket.prototype, { [name]: () => value, [setter]: () => {} });
}
Object.assign(TcpSocket.prototype, { setListenBacklogSize: () => {} });

class ResolveAddressStream {
  readonly #ticket: Ticket<string[]>;
  #at = 0;

  constructor(name: string) {
    this.#ticket = theBridge().start("resolve", { name });
  }

  resolveNextAddress() {
    if (!this.#ticket.isReady) refuse("would-block");
    if (this.#ticket.failure) refuse(errorOf(this.#ticket.failure));
    const address = this.#ticket.value[this.#at++];
    return address === undefined ? undefined : ipOf(address);
  }

  subscribe() {
    return new Pollable(this.#ticket.state());
  }
}

class UdpSocket {}
class IncomingDatagramStream {}
class OutgoingDatagramStream {}

export const socketInterfaces = {
  "wasi:sockets/instance-network": { instanceNetwork: () => new Network() },
  "wasi:sockets/network": { Network, networkErrorCode: () => undefined },
  "wasi:sockets/tcp": { TcpSocket },
  "wasi:sockets/tcp-create-socket": { createTcpSocket: (family: string) => new TcpSocket(family) },
  "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
  "wasi:sockets/udp-create-socket": { createUdpSocket: () => refuse("not-supported") },
  "wasi:sockets/ip-name-lookup": {
    ResolveAddressStream,
    resolveAddresses: (_network: Network, name: string) => new ResolveAddressStream(name),
  },
};
