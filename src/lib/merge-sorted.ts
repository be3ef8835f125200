/** Merges iterables that are each in order into one in order. */
export function* mergeSorted<T>(
  sources: readonly Iterable<T>[],
  compare: (a: T, b: T) => number,
): Iterable<T> {
  if (sources.length === 1) return yield* sources[0]!;
  const iterators = sources.map((source) => source[Symbol.iterator]());
  try {
    const heads = iterators.map((iterator) => iterator.next());
    for (;;) {
      let least = -1;
      let open = 0;
      for (const [i, head] of heads.entries()) {
        if (head.done) continue;
        open += 1;
        if (least < 0 || compare(head.value, heads[least]!.value) < 0) least = i;
      }
      if (least < 0) return;
      yield heads[least]!.value;
      // Most often all but one are empty.
      if (open === 1) return yield* { [Symbol.iterator]: () => iterators[least]! };
      heads[least] = iterators[least]!.next();
    }
  } finally {
    for (const iterator of iterators) iterator.return?.();
  }
}
