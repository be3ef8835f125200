/** `work` for all, so many at once; what fails is left out. */
export async function atOnce<T, R>(
  all: readonly T[],
  work: (one: T) => Promise<R | undefined>,
  { max = 64 }: { max?: number } = {},
): Promise<R[]> {
  const done: R[] = [];
  const waiting = [...all];
  const next = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const result = await work(one).catch(() => undefined);
      if (result !== undefined) done.push(result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(max, all.length) }, next));
  return done;
}
