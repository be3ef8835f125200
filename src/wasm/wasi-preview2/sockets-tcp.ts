// wasi:sockets/tcp, over Node's own sockets.
import { once } from "node:events";
import { Server, Socket, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { readableSource, writableSink } from "./node-streams.ts";
import { Outcome, Pollable } from "./poll.ts";
import { fixSettings } from "./socket-settings.ts";
import { refuse } from "./refuse.ts";
import { addressOf, hostOf, socketErrorOf } from "./socket-addresses.ts";
import type { SocketAddress } from "./socket-addresses.ts";
import { InputStream, OutputStream } from "./streams.ts";

const waitingMax = 128;

async function connect(host: string, port: number): Promise<Socket> {
  const socket = new Socket();
  socket.setNoDelay(true);
  socket.connect({ host, port });
  await once(socket, "connect");
  return socket;
}

/** Connections that came and were not accepted yet. */
class Listener {
  readonly server: Server;
  readonly #waiting: Socket[] = [];
  readonly #wakes = new Set<() => void>();

  constructor() {
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on("error", () => {});
      if (this.#waiting.length >= waitingMax) return socket.destroy();
      this.#waiting.push(socket);
      for (const wake of this.#wakes) wake();
    });
  }

  async listen(host: string, port: number): Promise<AddressInfo> {
    this.server.listen({ host, port });
    await once(this.server, "listening");
    return this.server.address() as AddressInfo;
  }

  accept(): Socket | undefined {
    return this.#waiting.shift();
  }

  state() {
    return {
      isReady: () => this.#waiting.length > 0,
      listen: (wake: () => void) => {
        this.#wakes.add(wake);
        return () => this.#wakes.delete(wake);
      },
    };
  }

  close() {
    this.server.close();
    for (const socket of this.#waiting) socket.destroy();
  }
}

const streamsOf = (socket: Socket) =>
  [new InputStream(readableSource(socket)), new OutputStream(writableSink(socket))] as const;

export class TcpSocket {
  readonly #family: string;
  #local: SocketAddress | undefined;
  #connected: Socket | undefined;
  #listener: Listener | undefined;
  #connecting: Outcome<Socket> | undefined;
  #listening: Outcome<AddressInfo> | undefined;
  #isListening = false;

  constructor(family: string, connected?: Socket) {
    this.#family = family;
    this.#connected = connected;
  }

  startBind(_network: unknown, local: SocketAddress) {
    if (this.#local || this.#connected) refuse("invalid-state");
    if (local.tag !== this.#family) refuse("invalid-argument");
    this.#local = local;
  }

  finishBind() {
    if (!this.#local) refuse("not-in-progress");
  }

  startConnect(_network: unknown, remote: SocketAddress) {
    if (this.#connected || this.#listener) refuse("invalid-state");
    if (remote.tag !== this.#family || remote.val.port === 0) refuse("invalid-argument");
    this.#connecting = new Outcome(connect(hostOf(remote), remote.val.port));
  }

  finishConnect() {
    const outcome = this.#connecting ?? refuse("not-in-progress");
    if (!outcome.isReady) refuse("would-block");
    this.#connecting = undefined;
    if (outcome.failure) refuse(socketErrorOf(outcome.failure));
    this.#connected = outcome.value;
    return streamsOf(this.#connected);
  }

  startListen() {
    if (!this.#local || this.#listener) refuse("invalid-state");
    this.#listener = new Listener();
    const { port } = this.#local.val;
    this.#listening = new Outcome(this.#listener.listen(hostOf(this.#local), port));
  }

  finishListen() {
    const outcome = this.#listening ?? refuse("not-in-progress");
    if (!outcome.isReady) refuse("would-block");
    this.#listening = undefined;
    if (outcome.failure) refuse(socketErrorOf(outcome.failure));
    this.#isListening = true;
    const { address, port } = outcome.value;
    this.#local = addressOf(address, port);
  }

  accept() {
    if (!this.#isListening) refuse("invalid-state");
    const socket = this.#listener!.accept() ?? refuse("would-block");
    return [new TcpSocket(this.#family, socket), ...streamsOf(socket)];
  }

  localAddress() {
    const { localAddress, localPort } = this.#connected ?? {};
    if (localAddress !== undefined) return addressOf(localAddress, localPort!);
    return this.#local ?? refuse("invalid-state");
  }

  remoteAddress() {
    const { remoteAddress, remotePort } = this.#connected ?? refuse("invalid-state");
    return addressOf(remoteAddress ?? refuse("invalid-state"), remotePort!);
  }

  isListening() {
    return this.#isListening;
  }

  addressFamily() {
    return this.#family;
  }

  subscribe() {
    const begun = this.#connecting ?? this.#listening;
    if (begun) return new Pollable(begun.state());
    return new Pollable(this.#listener?.state() ?? { isReady: () => true });
  }

  shutdown(how: string) {
    const socket = this.#connected ?? refuse("invalid-state");
    if (how !== "receive") socket.end();
  }

  [Symbol.dispose]() {
    this.#connected?.destroy();
    this.#listener?.close();
  }
}

fixSettings(TcpSocket, {
  keepAliveEnabled: false,
  keepAliveIdleTime: 7_200_000_000_000n,
  keepAliveInterval: 75_000_000_000n,
  keepAliveCount: 9,
  hopLimit: 64,
  receiveBufferSize: 65_536n,
  sendBufferSize: 65_536n,
});
Object.assign(TcpSocket.prototype, { setListenBacklogSize: () => {} });
