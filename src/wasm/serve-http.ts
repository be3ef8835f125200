// A component that exports wasi:http/incoming-handler is a server. A request has an instance to itself until its
// handler returns; while one waits, others run, so there are several instances in one process.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Clock } from "../lib/clock.ts";
import { exported } from "./component.ts";
import type { Component, ComponentInstance } from "./component.ts";
import { connectionsMax } from "./http-settings.ts";
import type { HttpSettings } from "./http-settings.ts";
import { fail, sendAnswer } from "./http-answer.ts";
import { InstancePool } from "./instance-pool.ts";
import type { Slot } from "./instance-pool.ts";
import { IncomingRequest, ResponseOutparam } from "./wasi-preview2/http-messages.ts";

export const incomingHandler = "wasi:http/incoming-handler";

export interface ServeOptions extends HttpSettings {
  component: Component;
  port: number;
  /** What the memories of all instances may come to. */
  memoryBytes?: number | undefined;
  clock: Clock;
  /** Told of every trap, with its reason. */
  onTrap: (error: unknown) => void;
}

/** Callers may not know yet that this one is going; it answers them for so long. */
const drainMs = 1500;
const keepAliveMs = 65_000;
const quietMs = 600_000;
const waitingMax = 1024;
const trimMs = 30_000;

class HttpHost {
  readonly #options: ServeOptions;
  readonly #pool: InstancePool<ComponentInstance>;
  #isPreparing = false;
  isLeaving = false;

  constructor(options: ServeOptions) {
    this.#options = options;
    const { component, instancesMax, readyMin, usesMax, memoryBytes = Infinity } = options;
    this.#pool = new InstancePool({
      make: () => component.instantiate(),
      weigh: (instance) => instance.memoryBytes(),
      ...{ instancesMax, readyMin, usesMax, waitingMax, bytesMax: memoryBytes },
    });
    options.clock.every(trimMs, () => this.#pool.trim());
  }

  async answer(request: IncomingMessage, response: ServerResponse) {
    if (this.isLeaving) response.setHeader("connection", "close");
    const left = new AbortController();
    const leave = () => left.abort();
    response.on("close", leave);
    try {
      const slot = await this.#slot(left.signal);
      response.off("close", leave);
      if (slot) await this.#ask(slot, request, response);
      else fail(response, "too many requests wait", 503);
    } catch {
      // Whoever asked has gone.
    }
  }

  async #slot(signal: AbortSignal): Promise<Slot<ComponentInstance> | undefined> {
    try {
      return await this.#pool.take(signal);
    } catch (error) {
      if (!signal.aborted) this.#options.onTrap(error);
      return undefined;
    }
  }

  /** Resolves when the handler is done with it. */
  async #ask(
    slot: Slot<ComponentInstance>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const out = new ResponseOutparam((answer) => sendAnswer(response, answer));
    const isGood = await this.#run(slot, request, out);
    const isMute = isGood && !out.answer && slot.uses > 0;
    // Some (those of ComponentizeJS) answer one request in their life, and say nothing to the second.
    if (isMute) this.#pool.usesMax = 1;
    this.#pool.give(slot, isGood);
    this.#prepareSoon();
    if (isMute) {
      const next = await this.#pool.take();
      if (next) return this.#ask(next, request, response);
    }
    if (!out.answer) return fail(response, "the handler gave no answer");
    const body = out.answer.tag === "ok" && out.answer.val.ownBody;
    // Whoever traps when all is said has answered.
    if (body && !body.isFinished) fail(response, "the handler's answer is not whole");
  }

  async #run(
    { instance }: Slot<ComponentInstance>,
    request: IncomingMessage,
    out: ResponseOutparam,
  ) {
    try {
      const { handle } = exported(instance.exports, incomingHandler);
      await handle(new IncomingRequest(request), out);
      return true;
    } catch (error) {
      // An instance that trapped is in no state to go on.
      this.#options.onTrap(error);
      return false;
    }
  }

  /** When nothing else is to be done. */
  #prepareSoon() {
    if (this.#isPreparing) return;
    this.#isPreparing = true;
    setImmediate(() => {
      this.#isPreparing = false;
      this.#pool.prepare();
    });
  }
}

/** Ends when nobody asks any more. */
function leave(server: Server, host: HttpHost, clock: Clock) {
  host.isLeaving = true;
  clock.after(drainMs, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

export function serveHttp(options: ServeOptions): Server {
  const host = new HttpHost(options);
  const server = createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    void host.answer(request, response);
  });
  server.maxConnections = connectionsMax;
  server.keepAliveTimeout = keepAliveMs;
  // A body may take as long as it comes, but not for ever nothing.
  server.requestTimeout = 0;
  server.timeout = quietMs;
  server.listen(options.port);
  process.once("SIGTERM", () => leave(server, host, options.clock));
  return server;
}
