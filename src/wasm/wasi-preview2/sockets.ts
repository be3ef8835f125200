// wasi:sockets: networks, names, and what the kinds of sockets add.
import { lookup } from "node:dns/promises";
import { Outcome, Pollable } from "./poll.ts";
import { refuse } from "./refuse.ts";
import { ipOf, socketErrorOf } from "./socket-addresses.ts";
import { TcpSocket } from "./sockets-tcp.ts";
import { udpInterfaces } from "./sockets-udp.ts";

class Network {}

class ResolveAddressStream {
  readonly #outcome: Outcome<{ address: string }[]>;
  #at = 0;

  constructor(name: string) {
    this.#outcome = new Outcome(lookup(name, { all: true }));
  }

  resolveNextAddress() {
    if (!this.#outcome.isReady) refuse("would-block");
    if (this.#outcome.failure) refuse(socketErrorOf(this.#outcome.failure));
    const found = this.#outcome.value[this.#at++];
    return found && ipOf(found.address);
  }

  subscribe() {
    return new Pollable(this.#outcome.state());
  }
}

export const socketInterfaces = {
  "wasi:sockets/instance-network": { instanceNetwork: () => new Network() },
  "wasi:sockets/network": { Network, networkErrorCode: () => undefined },
  "wasi:sockets/tcp": { TcpSocket },
  "wasi:sockets/tcp-create-socket": { createTcpSocket: (family: string) => new TcpSocket(family) },
  ...udpInterfaces,
  "wasi:sockets/ip-name-lookup": {
    ResolveAddressStream,
    resolveAddresses: (_network: Network, name: string) => new ResolveAddressStream(name),
  },
};
