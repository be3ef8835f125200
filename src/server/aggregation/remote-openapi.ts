// What other servers publish of themselves under /openapi, fetched when somebody asks and kept for a while.
import type { ServerHandle } from "../policy.ts";
import type { ForwardTarget } from "../../lib/proxy/forward.ts";
import { fetchJson } from "./availability.ts";

/** Age at which a document is fetched again. */
const freshMsMax = 60_000;

/** Documents kept. */
const documentsMax = 64;

interface Kept {
  body: Promise<any>;
  at: number;
}

export type Route = ForwardTarget & { host: string };

export class RemoteOpenApi {
  readonly #server: ServerHandle;
  readonly #kept = new Map<string, Kept>();

  constructor(server: ServerHandle) {
    this.#server = server;
  }

  /** Forgets what is known: another server may stand there now. */
  clear() {
    this.#kept.clear();
  }

  /** Undefined when the other server has none, or does not answer. */
  async get(route: Route, path: string): Promise<any> {
    const { clock } = this.#server;
    const key = `${route.host}${path}`;
    const kept = this.#kept.get(key);
    if (kept && clock.monotonic() - kept.at < freshMsMax) return kept.body;
    if (this.#kept.size >= documentsMax) this.#kept.clear();
    const body = fetchJson(route, path, { clock })
      .then(({ body: document }) => document)
      .catch(() => undefined);
    this.#kept.set(key, { body, at: clock.monotonic() });
    return body;
  }
}
