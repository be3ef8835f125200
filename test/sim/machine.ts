// A machine with a Kerb on it: an API server over a disk that outlives it. It can lose its power at any time.
import type { Client } from "../../src/client/client.ts";
import { Informers } from "../../src/client/informers.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import type { Random } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { openApiServer } from "../../src/main/site/api-server.ts";
import type { OpenApiServer } from "../../src/main/site/api-server.ts";
import type { Pki } from "../../src/server/auth/pki.ts";
import { memoryStore } from "../../src/store/memory.ts";
import type { StoreEvent } from "../../src/store/store.ts";

export interface MachineOptions {
  clock: Clock;
  random: Random;
  pki: Pki;
}

export interface Running extends OpenApiServer {
  informers: Informers;
  scope: Scope;
}

export type Start = (running: Running) => Promise<void>;

export class Machine {
  readonly #options: MachineOptions;
  readonly #start: Start;
  readonly #disk = memoryStore();
  #running: Running | undefined;
  /** Times it came up. */
  starts = 0;

  constructor(options: MachineOptions, start: Start) {
    this.#options = options;
    this.#start = start;
  }

  get running(): Running | undefined {
    return this.#running;
  }

  /** Resolves when the server is there; what runs on it comes up meanwhile. */
  async start() {
    if (this.#running) return;
    const scope = new Scope();
    const { clock } = this.#options;
    const open = await openApiServer({
      ...this.#options,
      store: this.#disk,
      serviceCidrs: ["10.0.0.0/24"],
      securePort: 443,
      admissionOff: ["ServiceAccount"],
      log: silent,
      scope,
    });
    const client = open.client("system:apiserver");
    const informers = new Informers({ client, clock, log: silent, scope });
    this.#running = { ...open, informers, scope };
    this.starts++;
    this.#start(this.#running).catch((error: unknown) => {
      if (!scope.closed) throw error;
    });
  }

  async crash() {
    const running = this.#running;
    this.#running = undefined;
    await running?.scope.close();
  }

  /** Acts for the world outside; undefined while it is down. */
  client(): Client | undefined {
    return this.#running?.client("world");
  }

  /** Told of every change on its disk, whichever server makes it. */
  watchDisk(prefix: string, listener: (event: StoreEvent) => void) {
    this.#disk.subscribe(prefix, (events) => events.forEach(listener));
  }
}
