// One Configuration's search on this node: a stream from every handler of its name, each of which says all
// it sees.
import { backoffMs } from "../../lib/backoff.ts";
import type { Client } from "../../client/client.ts";
import { sleep } from "../../lib/clock.ts";
import { checkedDevices } from "../discovery/checked-devices.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { DiscoveryHandler, HandlerWorld } from "../discovery/handler.ts";
import type { Handlers } from "../discovery/handlers.ts";
import type { MeasureSearch } from "./metrics.ts";
import type { ConfigurationSpec } from "../kinds/configuration.ts";
import type { Refused, Seen } from "./plan-instances.ts";
import { resolveProperties } from "../discovery/properties.ts";

const retryMsMax = 60_000;

interface Stream {
  stop: AbortController;
  /** Ends the wait before it is asked again. */
  retry: AbortController;
  seen: Seen[] | undefined;
  refused: Refused[];
  trouble: { reason: string; message: string } | undefined;
}

export interface SearchOptions {
  handler: NonNullable<ConfigurationSpec["discoveryHandler"]>;
  handlers: Handlers;
  client: Client;
  world: HandlerWorld;
  /** Something of what it sees or of its troubles changed. */
  changed: () => void;
  /** A handler that saw these is gone. */
  lost: (seen: Seen[]) => void;
  measure?: MeasureSearch;
}

export interface SearchState {
  /** Undefined until a handler answered. */
  seen: Seen[] | undefined;
  refused: Refused[];
  trouble: { reason: string; message: string } | undefined;
}

export class Search {
  readonly #options: SearchOptions;
  readonly #streams = new Map<DiscoveryHandler, Stream>();
  readonly #stopListening: () => void;
  #hadAnswer = false;

  constructor(options: SearchOptions) {
    this.#options = options;
    const { handlers, handler } = options;
    this.#stopListening = handlers.onChange((name) => {
      if (name === handler.name) this.#follow();
    });
    this.#follow();
  }

  stop() {
    this.#stopListening();
    for (const { stop } of this.#streams.values()) stop.abort(new Error("the search ends"));
  }

  state(): SearchState {
    const streams = [...this.#streams.values()];
    const answered = streams.filter(({ seen }) => seen);
    const none = {
      reason: "NoHandler",
      message: `no handler ${this.#options.handler.name} is there`,
    };
    const trouble = streams.length === 0 ? none : streams.find((one) => one.trouble)?.trouble;
    return {
      seen: this.#hadAnswer ? answered.flatMap((one) => one.seen!) : undefined,
      refused: streams.flatMap((one) => one.refused),
      trouble,
    };
  }

  #follow() {
    const { handlers, handler, changed, lost } = this.#options;
    const now = new Set(handlers.named(handler.name ?? ""));
    for (const [one, stream] of this.#streams) {
      if (now.has(one)) continue;
      this.#streams.delete(one);
      stream.stop.abort(new Error("the handler is gone"));
      if (stream.seen?.length) lost(stream.seen);
    }
    for (const one of now) {
      const known = this.#streams.get(one);
      known?.retry.abort();
      if (known) continue;
      const stream: Stream = {
        stop: new AbortController(),
        retry: new AbortController(),
        seen: undefined,
        refused: [],
        trouble: undefined,
      };
      this.#streams.set(one, stream);
      void this.#run(one, stream);
    }
    changed();
  }

  async #run(handler: DiscoveryHandler, stream: Stream) {
    const { world, changed } = this.#options;
    const { signal } = stream.stop;
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#listen(handler, stream, () => (failures = 0));
        stream.trouble = { reason: "HandlerEnded", message: "the handler ended its answer" };
      } catch (error) {
        if (signal.aborted) return;
        this.#options.measure?.failed(handler.name);
        const { name, message } = error as Error;
        const hopeless = error instanceof DetailsError;
        stream.trouble = { reason: hopeless ? "InvalidDetails" : name, message };
        if (hopeless) {
          stream.seen = [];
          this.#hadAnswer = true;
          return changed();
        }
      }
      changed();
      const waitMs = backoffMs(++failures, { firstMs: 1000, maxMs: retryMsMax });
      stream.retry = new AbortController();
      const until = AbortSignal.any([signal, stream.retry.signal]);
      await sleep(world.clock, waitMs, until).catch(() => {});
    }
  }

  async #listen(handler: DiscoveryHandler, stream: Stream, answered: () => void) {
    const { handler: spec, client, world, changed, measure } = this.#options;
    const properties = await resolveProperties(client, spec.discoveryProperties);
    const { signal } = stream.stop;
    const request = { details: spec.discoveryDetails ?? "", properties, signal };
    const asked = world.clock.monotonic();
    let isFirst = true;
    for await (const said of handler.discover(request, world)) {
      if (signal.aborted) return;
      measure?.answered(handler.name, isFirst ? world.clock.monotonic() - asked : undefined);
      isFirst = false;
      const { devices, refused } = checkedDevices(said);
      stream.seen = devices.map((device) => ({ device, shared: handler.shared }));
      stream.refused = refused;
      stream.trouble = undefined;
      this.#hadAnswer = true;
      answered();
      changed();
    }
  }
}
