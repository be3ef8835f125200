// Who of several acts: the holder of a Lease. The protocol and its times are client-go's
// (tools/leaderelection), so holders of both kinds respect each other. Nobody's wall clock is trusted: a
// lease has run out when it has not changed for its duration as this process saw it.
import { microTimestamp, sleep } from "../lib/clock.ts";
import type { Clock } from "../lib/clock.ts";
import type { KubeObject } from "../kinds/object.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { Scope } from "../lib/scope.ts";
import { isStatus } from "../lib/status-error.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";

export const leaseDurationMs = 15_000;
/** A holder that could not renew for this long stops acting, well before anybody else begins. */
export const renewDeadlineMs = 10_000;
export const retryPeriodMs = 2000;
/** How often a holder asks itself whether it still is one, also while a renewal hangs. */
const watchdogMs = 500;
/** Spreads those who wait: up to this much more than the period. */
const retryJitter = 0.2;

const leases = resource("coordination.k8s.io/v1", "leases");

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/** A lease as this process saw it last, and when it saw it change. */
export interface Observed {
  spec: LeaseSpec;
  atMs: number;
}

/** What to write to hold the lease; undefined while it is another's. Pure. */
export function claimOf(
  observed: Observed | undefined,
  me: string,
  now: { monotonicMs: number; wallMs: number },
): LeaseSpec | undefined {
  const { holderIdentity, leaseDurationSeconds, leaseTransitions = 0 } = observed?.spec ?? {};
  const isMine = holderIdentity === me;
  const endsAt = (observed?.atMs ?? 0) + (leaseDurationSeconds ?? 0) * 1000;
  if (holderIdentity && !isMine && endsAt > now.monotonicMs) return undefined;
  const renewTime = microTimestamp(now.wallMs);
  return {
    holderIdentity: me,
    leaseDurationSeconds: leaseDurationMs / 1000,
    acquireTime: (isMine && observed?.spec.acquireTime) || renewTime,
    renewTime,
    leaseTransitions: leaseTransitions + (observed && !isMine ? 1 : 0),
  };
}

export interface ElectionOptions {
  client: Client;
  namespace: string;
  /** The Lease's name. */
  name: string;
  /** Unique among all who may hold it. */
  identity: string;
  /** Acts until its scope closes; called again when the lease comes back. */
  lead: (term: Scope) => Promise<void>;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

/** Takes part until the scope closes; a holder then gives the lease back, so that nobody waits for its end. */
export function startElection(options: ElectionOptions) {
  const election = new Election(options);
  const stop = new AbortController();
  const running = election.run(stop.signal);
  options.scope.defer(async () => {
    stop.abort();
    await running;
  });
}

class Election {
  readonly #options: ElectionOptions;
  #observed: (Observed & { object: KubeObject }) | undefined;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #term: Scope | undefined;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal) {
    const { clock, random, log, name } = this.#options;
    const stopWatchdog = clock.every(watchdogMs, () => this.#endWhenOverdue());
    while (!signal.aborted) {
      await this.#turn().catch((error: unknown) => {
        if (!isStatus(error, "Conflict", "AlreadyExists")) {
          log.warn("the lease could not be renewed", { name, error: String(error) });
        }
      });
      const waitMs = retryPeriodMs * (1 + (this.#term ? 0 : retryJitter * random.float()));
      await sleep(clock, waitMs, signal).catch(() => {});
    }
    stopWatchdog();
    if (!this.#term) return;
    await this.#end("this server stops");
    await this.#release().catch(() => {});
  }

  #endWhenOverdue() {
    const sinceMs = this.#options.clock.monotonic() - this.#renewedMs;
    if (this.#term && sinceMs >= renewDeadlineMs) void this.#end("it could not be renewed in time");
  }

  async #turn() {
    const { client, clock, namespace, name, identity } = this.#options;
    const began = clock.monotonic();
    const target = { ...leases, namespace, name };
    this.#observe(
      await client.get(target).catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
        return undefined;
      }),
    );
    const now = { monotonicMs: clock.monotonic(), wallMs: clock.now() };
    const spec = claimOf(this.#observed, identity, now);
    if (!spec) {
      if (this.#term) await this.#end("another holds it");
      return;
    }
    this.#observe(await this.#write(spec));
    this.#renewedMs = began;
    if (!this.#term) this.#begin();
  }

  #write(spec: LeaseSpec): Promise<KubeObject> {
    const { client, namespace, name } = this.#options;
    const { object } = this.#observed ?? {};
    if (object) return client.update({ ...leases, namespace, name }, { ...object, spec });
    const draft = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name }, spec };
    return client.create({ ...leases, namespace }, draft);
  }

  #observe(object: KubeObject | undefined) {
    const seen = this.#observed?.object.metadata.resourceVersion;
    if (object && object.metadata.resourceVersion === seen) return;
    const atMs = this.#options.clock.monotonic();
    this.#observed = object && { object, spec: object.spec ?? {}, atMs };
  }

  #begin() {
    const { lead, log, name } = this.#options;
    const term = new Scope();
    this.#term = term;
    log.info("leading", { lease: name });
    lead(term).catch((error: unknown) => {
      log.error("leading failed", { lease: name, error: String(error) });
      if (this.#term === term) void this.#end("it failed");
    });
  }

  async #end(why: string) {
    const term = this.#term;
    this.#term = undefined;
    this.#options.log.info("no longer leading", { lease: this.#options.name, why });
    await term?.close().catch(() => {});
  }

  async #release() {
    const { clock } = this.#options;
    const { spec } = this.#observed!;
    const renewTime = microTimestamp(clock.now());
    await this.#write({ ...spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime });
  }
}
