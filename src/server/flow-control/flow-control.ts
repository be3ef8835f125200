// API priority and fairness: every request belongs to a FlowSchema and through it to a priority level, which
// seats so many at once; the others wait in its queues, and when those are full they are told to come again.
// Requests that last as long as their caller likes take no seat. KEP-1040.
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Scope } from "../../lib/scope.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Store } from "../../store/store.ts";
import type { Attributes } from "../policy.ts";
import { remoteAttributes } from "../request-info.ts";
import type { ApiRequest } from "../request.ts";
import { ListWidths } from "./list-widths.ts";
import { hashOf, matchesFlow } from "./match.ts";
import type { FlowRule } from "./match.ts";
import { Queues } from "./queues.ts";
import type { QueueingOptions } from "./queues.ts";
import { maySeat, seatsOf } from "./seats.ts";
import type { Seats, Share } from "./seats.ts";

/** Requests at work at once, over all levels; as upstream's 400 and 200. */
const seatsTotal = 600;
/** A request waits this long for a seat at most. */
const waitMsMax = 15_000;
const retrySeconds = 1;

const schemaPrefix = "flowschemas.flowcontrol.apiserver.k8s.io/";
const levelPrefix = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io/";

interface Ticket {
  hash: number;
  width: number;
  seat(): void;
}

/** What is counted, by FlowSchema. */
interface Counts {
  dispatched: number;
  rejected: Record<string, number>;
}

interface Schema {
  name: string;
  uid: string;
  precedence: number;
  by: string | undefined;
  rules: FlowRule[];
  level: Level;
  counts: Counts;
}

class Level {
  readonly name: string;
  readonly queues = new Queues<Ticket>({ queues: 0, handSize: 1, lengthMax: 0 });
  uid = "";
  exempt = false;
  seats: Seats = { nominal: 0, kept: 0, most: 0 };
  used = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** Where a request came to sit. */
export interface Seat {
  headers: Record<string, string>;
  leave(): void;
}

const streamed = new Set(["exec", "attach", "portforward", "proxy"]);

const isTrue = (value: string | null) => value !== null && value !== "0" && value !== "false";

const isLong = ({ verb, subresource }: Attributes, { query }: ApiRequest) =>
  verb === "watch" ||
  streamed.has(subresource) ||
  (subresource === "log" && isTrue(query.get("follow")));

function askedOf(request: ApiRequest): Attributes | undefined {
  try {
    return remoteAttributes(request);
  } catch {
    return undefined;
  }
}

const none = () => {};

/** What an object asks for beyond these is cut: queues cost memory whether anybody waits or not. */
const queuesMax = 10_000;
const handMax = 32;
const queueLengthMax = 1000;
const sharesMax = 1_000_000;

const within = (value: number | undefined, otherwise: number, [least, most]: [number, number]) =>
  Math.min(Math.max(value ?? otherwise, least), most);

function shareOf(spec: any): Share {
  const { limited, exempt } = spec ?? {};
  const { nominalConcurrencyShares, lendablePercent } = limited ?? exempt ?? {};
  return {
    shares: within(nominalConcurrencyShares, limited ? 30 : 0, [0, sharesMax]),
    lendablePercent: within(lendablePercent, 0, [0, 100]),
    borrowingLimitPercent: limited?.borrowingLimitPercent ?? undefined,
  };
}

function queueingOf(spec: any): QueueingOptions {
  const { queuing } = spec?.limited?.limitResponse ?? {};
  return {
    queues: queuing ? within(queuing.queues, 64, [1, queuesMax]) : 0,
    handSize: within(queuing?.handSize, 8, [1, handMax]),
    lengthMax: within(queuing?.queueLengthLimit, 50, [1, queueLengthMax]),
  };
}

export interface FlowControlOptions {
  store: Store;
  clock: Clock;
  seats?: number;
}

export class FlowControl {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #total: number;
  readonly #levels = new Map<string, Level>();
  readonly #counts = new Map<string, Counts>();
  readonly #widths: ListWidths;
  #schemas: Schema[] = [];
  #changes = 0;

  constructor({ store, clock, seats = seatsTotal }: FlowControlOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#total = seats;
    this.#widths = new ListWidths(store, clock);
  }

  /** Follows the objects from here on. */
  async start(scope: Scope) {
    for (const prefix of [schemaPrefix, levelPrefix]) {
      scope.defer(this.#store.subscribe(prefix, () => this.#changed()));
    }
    await this.#load();
  }

  /**
   * Resolves when the request may be worked on; undefined when it belongs to no schema. Throws TooManyRequests.
   * A request of this process that is exempt costs a look at its groups.
   */
  enter(request: ApiRequest): Seat | undefined | Promise<Seat> {
    if (request.decoded && request.user.groups.includes("system:masters")) return undefined;
    const asked = askedOf(request);
    const schema = asked && this.#schemaOf(request, asked);
    if (!schema) return undefined;
    const { level } = schema;
    const headers = {
      "x-kubernetes-pf-flowschema-uid": schema.uid,
      "x-kubernetes-pf-prioritylevel-uid": level.uid,
    };
    if (level.exempt || isLong(asked, request)) {
      schema.counts.dispatched++;
      return { headers, leave: none };
    }
    const isList = asked.verb === "list";
    // A level that is narrower than a list serves it alone.
    const most = Math.max(level.seats.nominal, 1);
    const width = isList ? Math.min(this.#widths.of(asked, request.query), most) : 1;
    if (level.queues.length === 0 && this.#hasRoom(level, width)) {
      return this.#seated(schema, headers, width);
    }
    return this.#wait(schema, headers, { request, asked, width });
  }

  measure(registry: Registry) {
    const labelNames = ["priority_level", "flow_schema"];
    const registers = [registry];
    const schemas = () => this.#schemas;
    const levels = () => this.#levels.values();
    new Counter({
      name: "apiserver_flowcontrol_dispatched_requests_total",
      help: "Requests that were seated.",
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { name, level, counts } of schemas()) {
          const labels = { priority_level: level.name, flow_schema: name };
          this.inc(labels, counts.dispatched);
        }
      },
    });
    new Counter({
      name: "apiserver_flowcontrol_rejected_requests_total",
      help: "Requests that were told to come again.",
      labelNames: [...labelNames, "reason"],
      registers,
      collect() {
        this.reset();
        for (const { name, level, counts } of schemas()) {
          for (const [reason, count] of Object.entries(counts.rejected)) {
            this.inc({ priority_level: level.name, flow_schema: name, reason }, count);
          }
        }
      },
    });
    const gauge = (name: string, help: string, value: (level: Level) => number) =>
      new Gauge({
        name: `apiserver_flowcontrol_${name}`,
        help,
        labelNames: ["priority_level"],
        registers,
        collect() {
          this.reset();
          for (const level of levels()) this.set({ priority_level: level.name }, value(level));
        },
      });
    gauge("current_inqueue_requests", "Requests that wait.", ({ queues }) => queues.length);
    gauge("current_executing_seats", "Seats in use.", ({ used }) => used);
    gauge("nominal_limit_seats", "Seats of a level.", ({ seats }) => seats.nominal);
  }

  #schemaOf({ user }: ApiRequest, asked: Attributes): Schema | undefined {
    return this.#schemas.find(({ rules }) => matchesFlow(rules, user, asked));
  }

  #hasRoom(level: Level, width: number) {
    return maySeat(level, this.#levels.values(), this.#total, width);
  }

  #seated(schema: Schema, headers: Record<string, string>, width: number): Seat {
    const { level } = schema;
    level.used += width;
    schema.counts.dispatched++;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      level.used -= width;
      this.#serve();
    };
    return { headers, leave };
  }

  #wait(
    schema: Schema,
    headers: Record<string, string>,
    { request, asked, width }: { request: ApiRequest; asked: Attributes; width: number },
  ): Promise<Seat> {
    const { level, by } = schema;
    const flow = by === "ByUser" ? request.user.name : by === "ByNamespace" ? asked.namespace : "";
    return new Promise((resolve, reject) => {
      const refuse = (reason: string) => {
        schema.counts.rejected[reason] = (schema.counts.rejected[reason] ?? 0) + 1;
        reject(tooMany(headers));
      };
      const giveUp = (reason: string) => {
        stopWaiting();
        level.queues.remove(ticket);
        refuse(reason);
      };
      const onAbort = () => giveUp("cancelled");
      const ticket: Ticket = {
        hash: hashOf(`${schema.name}/${flow}`),
        width,
        seat: () => {
          stopWaiting();
          resolve(this.#seated(schema, headers, width));
        },
      };
      if (!level.queues.add(ticket)) return refuse("queue-full");
      const cancel = this.#clock.after(waitMsMax, () => giveUp("time-out"));
      request.signal.addEventListener("abort", onAbort, { once: true });
      const stopWaiting = () => {
        cancel();
        request.signal.removeEventListener("abort", onAbort);
      };
    });
  }

  /** Gives free seats to those who wait. */
  #serve() {
    for (const level of this.#levels.values()) {
      for (;;) {
        const next = level.queues.peek();
        if (!next || !this.#hasRoom(level, next.width)) break;
        level.queues.next()!.seat();
      }
    }
  }

  /** Changes that come while one is being read are read together, after it. */
  #changed() {
    this.#changes++;
    if (this.#changes > 1) return;
    const read = async () => {
      for (let seen = 0; seen !== this.#changes;) {
        seen = this.#changes;
        await this.#load();
      }
    };
    void read().finally(() => (this.#changes = 0));
  }

  async #load() {
    const read = async (prefix: string) =>
      (await this.#store.list(prefix)).entries.map(({ value }) => parseShared<KubeObject>(value));
    const [levels, schemas] = await Promise.all([read(levelPrefix), read(schemaPrefix)]);
    this.#configure(levels);
    this.#schemas = schemas.flatMap((one) => this.#schema(one) ?? []);
    this.#schemas.sort((a, b) => a.precedence - b.precedence || (a.name < b.name ? -1 : 1));
    for (const name of this.#counts.keys()) {
      if (!this.#schemas.some((one) => one.name === name)) this.#counts.delete(name);
    }
    this.#serve();
  }

  #configure(objects: KubeObject[]) {
    const shares = new Map(objects.map(({ metadata, spec }) => [metadata.name, shareOf(spec)]));
    const seats = seatsOf(shares, this.#total);
    for (const { metadata, spec } of objects) {
      const { name, uid } = metadata;
      const level = this.#levels.get(name) ?? new Level(name);
      this.#levels.set(name, level);
      level.uid = uid;
      level.exempt = spec?.type === "Exempt";
      level.seats = seats.get(name)!;
      level.queues.configure(queueingOf(spec));
    }
    for (const level of this.#levels.values()) {
      const isGone = !shares.has(level.name) && level.used === 0 && level.queues.length === 0;
      if (isGone) this.#levels.delete(level.name);
    }
  }

  /** A schema whose level does not exist takes the last resort's. */
  #schema({ metadata, spec }: KubeObject): Schema | undefined {
    const name: string | undefined = spec?.priorityLevelConfiguration?.name;
    const level = this.#levels.get(name ?? "") ?? this.#levels.get("catch-all");
    if (!level) return undefined;
    const counts = this.#counts.get(metadata.name) ?? { dispatched: 0, rejected: {} };
    this.#counts.set(metadata.name, counts);
    return {
      name: metadata.name,
      uid: metadata.uid,
      precedence: spec?.matchingPrecedence ?? 1000,
      by: spec?.distinguisherMethod?.type,
      rules: spec?.rules ?? [],
      level,
      counts,
    };
  }
}

const tooMany = (headers: Record<string, string>) =>
  new StatusError("TooManyRequests", "too many requests, please try again later", {
    details: { retryAfterSeconds: retrySeconds },
    headers,
  });
