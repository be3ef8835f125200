// /livez, /readyz and /healthz: named checks, asked when somebody asks. Anybody may ask for the sum of them, so
// why one fails is told to the log and to those who may ask for it by name.
import { sleep } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { StatusError } from "../lib/status-error.ts";
import type { Store } from "../store/store.ts";
import type { ApiRequest, ApiResponse } from "./request.ts";

/** Resolves with what is wrong, or undefined. */
type Check = () => string | undefined | void | Promise<string | undefined | void>;

/** A check that takes longer has failed. */
const checkMsMax = 2000;
/** Any key will do. */
const readKey = "namespaces/default";

const endpoints = new Set(["healthz", "livez", "readyz"]);

interface Named {
  name: string;
  check: Check;
  /** A server for which it fails should get no requests, and no restart. */
  isReadiness: boolean;
  /** Those who ask at once are answered at once. */
  running?: Promise<string | undefined>;
}

interface HealthOptions {
  store: Store;
  /** Aborted when the server stops. */
  signal: AbortSignal;
  clock: Clock;
  log: Log;
}

const text = (code: number, body: string): ApiResponse => ({
  code,
  headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  bytes: Buffer.from(body),
});

export class Health {
  readonly #checks: Named[] = [];
  readonly #clock: Clock;
  readonly #log: Log;

  constructor({ store, signal, clock, log }: HealthOptions) {
    this.#clock = clock;
    this.#log = log;
    this.add("ping", () => undefined);
    this.add("etcd", async () => {
      await store.get(readKey);
    });
    this.addReadiness("etcd-readiness", () => store.check());
    this.addReadiness("shutdown", () => (signal.aborted ? "the server stops" : undefined));
  }

  /** A check of all three. */
  add(name: string, check: Check) {
    this.#checks.push({ name, check, isReadiness: false });
  }

  addReadiness(name: string, check: Check) {
    this.#checks.push({ name, check, isReadiness: true });
  }

  /** `work` is a part of the server's start: until it is done, and when it fails, the server is not well. */
  hook<T>(name: string, work: Promise<T>): Promise<T> {
    let state: string | undefined = "not finished";
    this.add(`poststarthook/${name}`, () => state);
    return work.then(
      (value) => {
        state = undefined;
        return value;
      },
      (error: unknown) => {
        state = String(error);
        throw error;
      },
    );
  }

  /** Undefined when the path is no health check's. */
  async answer(segments: string[], request: ApiRequest): Promise<ApiResponse | undefined> {
    const [endpoint = "", ...rest] = segments;
    if (!endpoints.has(endpoint)) return undefined;
    const checks = this.#checks.filter((one) => endpoint === "readyz" || !one.isReadiness);
    if (rest.length === 0) return this.#sum(endpoint, checks, request.query);
    const one = checks.find(({ name }) => name === rest.join("/"));
    if (!one) return undefined;
    const wrong = await this.#run(one);
    return wrong === undefined ? text(200, "ok") : text(500, `internal server error: ${wrong}\n`);
  }

  async #sum(endpoint: string, checks: Named[], query: URLSearchParams): Promise<ApiResponse> {
    const excluded = new Set(query.getAll("exclude"));
    const results = await Promise.all(
      checks.map(async (one) => {
        const { name } = one;
        if (excluded.delete(name)) return { line: `[+]${name} excluded: ok` };
        const wrong = await this.#run(one);
        if (wrong === undefined) return { line: `[+]${name} ok` };
        return { line: `[-]${name} failed: reason withheld`, failed: `${name}: ${wrong}` };
      }),
    );
    const lines = results.map(({ line }) => line);
    const failed = results.flatMap((one) => one.failed ?? []);
    if (excluded.size > 0) {
      const names = [...excluded].map((name) => JSON.stringify(name)).join(",");
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
    }
    if (failed.length > 0) {
      this.#log.warn("health checks failed", { endpoint, failed });
      return text(500, `${lines.join("\n")}\n${endpoint} check failed\n`);
    }
    if (!query.has("verbose")) return text(200, "ok");
    return text(200, `${lines.join("\n")}\n${endpoint} check passed\n`);
  }

  #run(one: Named): Promise<string | undefined> {
    one.running ??= this.#bounded(one.check).finally(() => delete one.running);
    return one.running;
  }

  async #bounded(check: Check): Promise<string | undefined> {
    const done = new AbortController();
    try {
      const late = sleep(this.#clock, checkMsMax, done.signal).then(
        () => `no answer within ${checkMsMax} ms`,
        () => undefined,
      );
      return (await Promise.race([check(), late])) ?? undefined;
    } catch (error) {
      return error instanceof StatusError ? error.message : String(error);
    } finally {
      done.abort();
    }
  }
}
