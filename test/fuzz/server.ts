// The whole API server in this process, with all that guards it, and requests thrown at it as they come
// from a connection. What nobody expected is an Internal error, so no answer may be one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { systemClock } from "../../src/lib/clock.ts";
import type { Log } from "../../src/lib/log.ts";
import { silent } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { openControlPlane } from "../../src/main/site/control-plane.ts";
import { exchange } from "../../src/server/http/exchange.ts";
import { RequestBodies } from "../../src/server/http/request-bodies.ts";
import type { Sink } from "../../src/server/http/sinks.ts";
import { addressesOf } from "../../src/main/site/site-settings.ts";

export interface Answer {
  code: number;
  body: Buffer;
}

export interface Sent {
  body?: Uint8Array | string;
  type?: string;
  accept?: string;
}

class Collected implements Sink {
  code = 0;
  readonly chunks: Uint8Array[] = [];
  closed = false;
  readonly #onClose: (() => void)[] = [];
  readonly #done: (answer: Answer) => void;

  constructor(done: (answer: Answer) => void) {
    this.#done = done;
  }

  head(code: number) {
    this.code = code;
  }

  write(chunk: Uint8Array) {
    this.chunks.push(chunk);
    return undefined;
  }

  end(chunk?: Uint8Array) {
    if (chunk) this.chunks.push(chunk);
    this.destroy();
  }

  discardRest() {}

  destroy() {
    if (this.closed) return;
    this.closed = true;
    for (const listener of this.#onClose) listener();
    this.#done({ code: this.code, body: Buffer.concat(this.chunks) });
  }

  onClose(listener: () => void) {
    this.#onClose.push(listener);
  }
}

export interface FuzzedServer {
  send(method: string, url: string, sent?: Sent): Promise<Answer>;
  kinds: Awaited<ReturnType<typeof openControlPlane>>["kinds"];
  /** What was logged as an error since the last look. */
  errors(): string[];
  close(): Promise<void>;
}

export async function startFuzzedServer(): Promise<FuzzedServer> {
  const scope = new Scope();
  const directory = mkdtempSync(join(tmpdir(), "kerb-fuzz-"));
  const errors: string[] = [];
  const log: Log = {
    ...silent,
    error: (message, facts) => void errors.push(`${message} ${JSON.stringify(facts)}`),
    with: () => log,
  };
  const plane = await openControlPlane({
    directory,
    name: "fuzz",
    port: 6443,
    addresses: addressesOf(0),
    ownNode: () => undefined,
    clock: systemClock,
    random: seededRandom(1),
    log,
    scope,
  });
  const user = { name: "fuzzer", groups: ["system:masters", "system:authenticated"] };
  const bodies = new RequestBodies(systemClock);
  const context = { server: plane.server, authenticate: async () => user, bodies, log };
  return {
    kinds: plane.kinds,
    errors: () => errors.splice(0),
    send: (method, url, { body, type = "application/json", accept } = {}) =>
      new Promise((resolve) => {
        const incoming = {
          method,
          url,
          headers: { "content-type": type, accept: accept ?? "application/json" },
          body: Readable.from(body === undefined ? [] : [Buffer.from(body)]),
          certificate: undefined,
          remoteAddress: "127.0.0.1",
          hasBody: body !== undefined,
          local: true,
        };
        void exchange(context, incoming, new Collected(resolve));
      }),
    close: async () => {
      await scope.close();
      rmSync(directory, { recursive: true });
    },
  };
}
