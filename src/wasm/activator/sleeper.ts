// One Service whose Deployment sleeps while nobody asks: connections come here, wait until a pod is ready, and
// are handed on; when none has been open for a while, the Deployment is told to have no pods.
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Cancel, Clock } from "../../lib/clock.ts";

export interface SleeperOptions {
  /** Of the Deployment, as far as it is known. */
  replicas: () => number | undefined;
  /** Addresses of its pods that are ready. */
  ready: () => string[];
  scale: (replicas: number) => Promise<void>;
  port: number;
  idleMs: number;
  clock: Clock;
  onFailure: (error: Error) => void;
}

/** Whoever waits longer is hung up on. */
const wakeMsMax = 60_000;
const openMax = 4096;

export class Sleeper {
  readonly #options: SleeperOptions;
  readonly #waiting = new Set<() => void>();
  readonly #open = new Set<Socket>();
  #idle: Cancel | undefined;
  #next = 0;
  #server: Server | undefined;

  constructor(options: SleeperOptions) {
    this.#options = options;
  }

  /** Resolves with the port it listens on. */
  listen(address: string): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    this.#settle();
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, address, () => {
        // It alone keeps no process alive.
        server.unref();
        resolve((server.address() as { port: number }).port);
      });
    });
  }

  /** Something about the pods or the Deployment has changed. */
  look() {
    if (this.#options.ready().length > 0) for (const go of [...this.#waiting]) go();
    this.#settle();
  }

  stop() {
    this.#idle?.();
    this.#server?.close();
    for (const socket of this.#open) socket.destroy();
  }

  #scale(replicas: number) {
    this.#options.scale(replicas).catch(this.#options.onFailure);
  }

  /** Starts to count the quiet where it is quiet. */
  #settle() {
    const { replicas, clock, idleMs } = this.#options;
    if (this.#open.size > 0 || !replicas()) {
      this.#idle?.();
      this.#idle = undefined;
      return;
    }
    this.#idle ??= clock.after(idleMs, () => {
      this.#idle = undefined;
      if (this.#open.size === 0 && replicas()) this.#scale(0);
    });
  }

  #accept(socket: Socket) {
    if (this.#open.size >= openMax) return socket.destroy();
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#open.delete(socket);
      this.#settle();
    });
    this.#settle();
    if (this.#options.ready().length > 0) return this.#handOn(socket);
    if (!this.#options.replicas()) this.#scale(1);
    const go = () => {
      giveUp();
      this.#waiting.delete(go);
      if (!socket.destroyed) this.#handOn(socket);
    };
    const giveUp = this.#options.clock.after(wakeMsMax, () => socket.destroy());
    this.#waiting.add(go);
    socket.on("close", () => {
      giveUp();
      this.#waiting.delete(go);
    });
  }

  #handOn(socket: Socket) {
    const ready = this.#options.ready();
    const host = ready[this.#next++ % ready.length]!;
    const pod = connect({ host, port: this.#options.port });
    pod.on("error", () => socket.destroy());
    socket.on("close", () => pod.destroy());
    pod.on("close", () => socket.end());
    socket.pipe(pod).pipe(socket);
  }
}
