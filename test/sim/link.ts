// The link between a site and its hub, as bad as links are: slow, cut, losing answers after the deed, sending
// what was sent already once more. Requests that run side by side overtake each other.
import type { Client, Target } from "../../src/client/client.ts";
import { sleep } from "../../src/lib/clock.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Random } from "../../src/lib/random.ts";
import { StatusError } from "../../src/lib/status-error.ts";

const delayMsMax = 400;
const lostShare = 0.02;
const twiceShare = 0.02;

const broken = (why: string) => new StatusError("ServiceUnavailable", why);

/** The hub as a caller has it now; throws when it is down or does not know the caller. */
type Reach = () => Client;

interface LinkOptions {
  clock: Clock;
  random: Random;
}

export class Link {
  readonly #options: LinkOptions;
  #cut: AbortController | undefined;
  #standing = new AbortController();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isUp() {
    return this.#cut === undefined;
  }

  cut() {
    this.#cut ??= new AbortController();
    this.#standing.abort();
  }

  mend() {
    if (this.isUp) return;
    this.#cut = undefined;
    this.#standing = new AbortController();
  }

  async #travel(signal?: AbortSignal) {
    const { clock, random } = this.#options;
    await sleep(clock, 5 + random.float() * delayMsMax, signal);
    if (!this.isUp) throw broken("the link is cut");
  }

  async #ask<T>(hub: Reach, ask: (hub: Client) => Promise<T>): Promise<T> {
    const { random } = this.#options;
    await this.#travel();
    const answer = await ask(hub());
    if (random.float() < twiceShare) await ask(hub()).catch(() => {});
    await this.#travel();
    if (random.float() < lostShare) throw broken("the answer was lost");
    return answer;
  }

  async *#watch(hub: Reach, target: Target, options: any = {}): AsyncGenerator<any> {
    await this.#travel(options.signal);
    const standing = this.#standing;
    const signal = AbortSignal.any([standing.signal, ...(options.signal ? [options.signal] : [])]);
    for await (const event of hub().watch(target, { ...options, signal })) {
      await this.#travel(options.signal);
      yield event;
    }
    if (standing.signal.aborted) throw broken("the link was cut");
  }

  /** Every connection of the site goes over this one. */
  client(hub: Reach): Client & { close(): void } {
    // What goes over a wire is a copy.
    const copy = structuredClone;
    return {
      close() {},
      get: (target, signal) => this.#ask(hub, (at) => at.get(target, signal)),
      list: (target, options) => this.#ask(hub, (at) => at.list(target, options)),
      watch: (target, options) => this.#watch(hub, target, options),
      create: (target, object, options) =>
        this.#ask(hub, (at) => at.create(target, copy(object), options)),
      update: (target, object, options) =>
        this.#ask(hub, (at) => at.update(target, copy(object), options)),
      patch: (target, type, patch, options) =>
        this.#ask(hub, (at) => at.patch(target, type, copy(patch), options)),
      delete: (target, options) => this.#ask(hub, (at) => at.delete(target, options)),
      deleteCollection: (target, options) =>
        this.#ask(hub, (at) => at.deleteCollection(target, options)),
    };
  }
}
