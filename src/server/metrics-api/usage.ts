// Usage of cpu is a difference between two looks at a node. Nothing is looked at while nobody asks: the first
// question waits for a second look, later ones reach back to the last.
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import type { NodeConnector, NodeUsage, PodAddress, Used } from "../../lib/node-connection.ts";

/** Two looks closer than this say too little; the same answer is given again. */
const freshMs = 5000;
/** A look older than this is of another time. */
const staleMs = 90_000;
const firstWindowMs = 1000;

interface Look {
  atMs: number;
  usage: NodeUsage;
}

export interface Rate {
  /** Thousand-millionths of a cpu. */
  nanocores: number;
  memoryBytes: number;
}

export interface PodRates {
  pod: PodAddress;
  containers: Map<string, Rate>;
}

/** What a node and its pods used between two looks, of which the later was at `at`, in wall-clock ms. */
export interface NodeRates extends Rate {
  at: number;
  windowMs: number;
  pods: PodRates[];
}

const rate = (before: Used, after: Used, windowMs: number): Rate => ({
  nanocores: Math.max(
    0,
    Math.round(((after.cpuNanoseconds - before.cpuNanoseconds) * 1000) / windowMs),
  ),
  memoryBytes: after.workingSetBytes,
});

/** Pods of which a container has not been seen twice are left out, as half a pod's usage misleads. Pure. */
export function ratesBetween(before: Look, after: Look, at: number): NodeRates {
  const windowMs = after.atMs - before.atMs;
  const known = new Map(before.usage.containers.map((one) => [one.id, one]));
  const pods = new Map<string, PodRates>();
  const incomplete = new Set<string>();
  for (const container of after.usage.containers) {
    const { pod, id, name } = container;
    const first = known.get(id);
    if (!first) {
      incomplete.add(pod.uid);
      continue;
    }
    const entry = pods.get(pod.uid) ?? { pod, containers: new Map<string, Rate>() };
    entry.containers.set(name, rate(first, container, windowMs));
    pods.set(pod.uid, entry);
  }
  return {
    ...rate(before.usage, after.usage, windowMs),
    at,
    windowMs,
    pods: [...pods.values()].filter(({ pod }) => !incomplete.has(pod.uid)),
  };
}

export class UsageReader {
  readonly #connect: NodeConnector;
  readonly #clock: Clock;
  readonly #looks = new Map<string, Look>();
  readonly #answers = new Map<string, { atMs: number; rates: Promise<NodeRates> }>();

  constructor(connect: NodeConnector, clock: Clock) {
    this.#connect = connect;
    this.#clock = clock;
  }

  /** Throws StatusError when the node cannot be asked. */
  of(node: string): Promise<NodeRates> {
    const now = this.#clock.monotonic();
    const known = this.#answers.get(node);
    if (known && now - known.atMs < freshMs) return known.rates;
    const answer = { atMs: now, rates: this.#read(node) };
    this.#answers.set(node, answer);
    answer.rates.catch(() => {
      if (this.#answers.get(node) === answer) this.#answers.delete(node);
    });
    return answer.rates;
  }

  /** Nodes that are no more take no room. */
  keepOnly(nodes: ReadonlySet<string>) {
    for (const map of [this.#looks, this.#answers]) {
      for (const node of map.keys()) if (!nodes.has(node)) map.delete(node);
    }
  }

  async #read(node: string): Promise<NodeRates> {
    let before = this.#looks.get(node);
    if (!before || this.#clock.monotonic() - before.atMs > staleMs) {
      before = await this.#look(node);
      await sleep(this.#clock, firstWindowMs);
    }
    const after = await this.#look(node);
    return ratesBetween(before, after, this.#clock.now());
  }

  async #look(node: string): Promise<Look> {
    const connection = await this.#connect(node);
    const usage = await connection.usage();
    const look = { atMs: this.#clock.monotonic(), usage };
    this.#looks.set(node, look);
    return look;
  }
}
