// The waiting room of one priority level. A flow is dealt a few of the queues and waits in the shortest of
// them, so that a flood meets a quiet flow in all of its queues almost never; seats go to the queue that has
// had the fewest, so that a flood only gets its share. Nothing here knows of time or of requests.
// KEP-1040.

export interface QueueingOptions {
  /** 0: nobody waits, whoever finds no seat is refused. */
  queues: number;
  /** Queues dealt to one flow. */
  handSize: number;
  /** Of one queue. */
  lengthMax: number;
}

export interface Waiting {
  /** Of the flow it belongs to, a whole number below 2^53. */
  hash: number;
  /** Seats it needs; default: 1. */
  width?: number;
}

interface Queue<T> {
  waiting: T[];
  /** Seats it has been given, in the level's count. */
  given: number;
}

/** The different queues that a hash deals, as from a shuffled deck. Pure. */
export function deal(hash: number, queues: number, handSize: number): number[] {
  const hand: number[] = [];
  let left = hash;
  for (let i = 0; i < Math.min(handSize, queues); i++) {
    const size = queues - i;
    let card = left % size;
    left = Math.floor(left / size);
    for (const taken of hand.toSorted((a, b) => a - b)) if (card >= taken) card++;
    hand.push(card);
  }
  return hand;
}

export class Queues<T extends Waiting> {
  #options: QueueingOptions;
  #queues: Queue<T>[];
  /** What the queue served last had been given: whoever comes now does not get more for having slept. */
  #level = 0;
  #length = 0;
  #lastServed = 0;

  constructor(options: QueueingOptions) {
    this.#options = options;
    this.#queues = this.#empty();
  }

  get length() {
    return this.#length;
  }

  /** Keeps who waits, dealt anew. */
  configure(options: QueueingOptions) {
    const { queues, handSize, lengthMax } = this.#options;
    const same = queues === options.queues && handSize === options.handSize;
    if (same && lengthMax === options.lengthMax) return;
    const waiting = this.#queues.flatMap((queue) => queue.waiting);
    this.#options = options;
    if (same) return;
    // With no queues left, those who wait are served from one that takes nobody more.
    this.#queues = options.queues > 0 ? this.#empty() : [{ waiting: [], given: this.#level }];
    this.#length = 0;
    for (const one of waiting) this.#put(this.#shortest(one.hash), one);
  }

  /** False when the flow's queues are full. */
  add(one: T): boolean {
    if (this.#options.queues === 0) return false;
    const queue = this.#shortest(one.hash);
    if (queue.waiting.length >= this.#options.lengthMax) return false;
    this.#put(queue, one);
    return true;
  }

  /** Who `next` will give. */
  peek(): T | undefined {
    return this.#best()?.queue.waiting[0];
  }

  /** The next to be seated. */
  next(): T | undefined {
    const best = this.#best();
    if (!best) return undefined;
    const { queue, at } = best;
    const one = queue.waiting.shift()!;
    this.#lastServed = at;
    this.#level = queue.given;
    queue.given += one.width ?? 1;
    this.#length--;
    return one;
  }

  #best(): { queue: Queue<T>; at: number } | undefined {
    if (this.#length === 0) return undefined;
    const count = this.#queues.length;
    let best: Queue<T> | undefined;
    let bestAt = 0;
    for (let i = 1; i <= count; i++) {
      const at = (this.#lastServed + i) % count;
      const queue = this.#queues[at]!;
      if (queue.waiting.length === 0 || (best && best.given <= queue.given)) continue;
      [best, bestAt] = [queue, at];
    }
    return best && { queue: best, at: bestAt };
  }

  /** Somebody gave up. */
  remove(one: T) {
    for (const { waiting } of this.#queues) {
      const at = waiting.indexOf(one);
      if (at < 0) continue;
      waiting.splice(at, 1);
      this.#length--;
    }
  }

  #put(queue: Queue<T>, one: T) {
    if (queue.waiting.length === 0) queue.given = Math.max(queue.given, this.#level);
    queue.waiting.push(one);
    this.#length++;
  }

  #shortest(hash: number): Queue<T> {
    const hand = deal(hash, this.#queues.length, this.#options.handSize).map(
      (at) => this.#queues[at]!,
    );
    return hand.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a), hand[0]!);
  }

  #empty(): Queue<T>[] {
    return Array.from({ length: this.#options.queues }, () => ({
      waiting: [],
      given: this.#level,
    }));
  }
}
