// The guest has this thread, and the network needs an event loop: a second thread, started by the first call
// that needs it, does what is asked, and this one waits for its news where the guest waits.
import { MessageChannel, Worker, receiveMessageOnPort } from "node:worker_threads";
import { extname, join } from "node:path";
import { poller } from "./poll.ts";
import type { News, PollableState } from "./poll.ts";

export interface BridgeRequest {
  id: number;
  operation: string;
  argument: unknown;
}

export interface BridgeAnswer {
  id: number;
  value?: unknown;
  /** Of what went wrong: errno's name where there is one, and a text. */
  failure?: { code: string; message: string };
}

/** What was asked for, and what came of it. */
export class Ticket<T> {
  answer: BridgeAnswer | undefined;
  readonly #look: () => void;

  constructor(look: () => void) {
    this.#look = look;
  }

  get isReady(): boolean {
    if (!this.answer) this.#look();
    return this.answer !== undefined;
  }

  get value(): T {
    return this.answer!.value as T;
  }

  get failure() {
    return this.answer!.failure;
  }

  state(): PollableState {
    return { isReady: () => this.isReady };
  }
}

export class Bridge implements News {
  /** Counts answers; both threads see it. */
  readonly #count = new Int32Array(new SharedArrayBuffer(4));
  readonly #port;
  readonly #tickets = new Map<number, Ticket<unknown>>();
  #last = 0;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const extension = extname(import.meta.filename);
    const isBuilt = extension !== ".ts";
    const file = isBuilt ? "wasm-bridge.mjs" : "bridge-worker.ts";
    const worker = new Worker(join(import.meta.dirname, file), {
      workerData: { port: port2, count: this.#count },
      transferList: [port2],
      env: {},
    });
    worker.unref();
    port1.unref();
  }

  start<T>(operation: string, argument: unknown): Ticket<T> {
    const id = ++this.#last;
    const ticket = new Ticket<T>(() => this.#look());
    this.#tickets.set(id, ticket);
    this.#port.postMessage({ id, operation, argument } satisfies BridgeRequest);
    return ticket;
  }

  #look(): boolean {
    let isNew = false;
    for (let one = receiveMessageOnPort(this.#port); one; one = receiveMessageOnPort(this.#port)) {
      const answer = one.message as BridgeAnswer;
      const ticket = this.#tickets.get(answer.id);
      this.#tickets.delete(answer.id);
      if (ticket) ticket.answer = answer;
      isNew = true;
    }
    return isNew;
  }

  wait(ms: number | undefined) {
    const seen = Atomics.load(this.#count, 0);
    if (!this.#look()) Atomics.wait(this.#count, 0, seen, ms);
    this.#look();
  }
}

let bridge: Bridge | undefined;

/** The one bridge of this process, made when it is first needed. */
export function theBridge(): Bridge {
  if (!bridge) {
    bridge = new Bridge();
    poller.news = bridge;
  }
  return bridge;
}
