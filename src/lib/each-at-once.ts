/**
 * `work` for each of `all`, at most `max` under way at once: where each waits for the same thing (a disk, a link),
 * they wait together. Rejects with the first failure, after which nothing more is begun.
 */
export async function eachAtOnce<T>(
  all: Iterable<T>,
  work: (one: T) => Promise<unknown>,
  { max }: { max: number },
): Promise<void> {
  const waiting = all[Symbol.iterator]();
  let hasFailed = false;
  const worker = async () => {
    for (let next = waiting.next(); !next.done && !hasFailed; next = waiting.next()) {
      await work(next.value);
    }
  };
  const workers = Array.from({ length: max }, () =>
    worker().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    }),
  );
  await Promise.all(workers);
}
