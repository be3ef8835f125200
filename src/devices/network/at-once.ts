import { eachAtOnce } from "../../lib/each-at-once.ts";

/** What `work` makes of all, so many at once; what fails is left out. */
export async function atOnce<T, R>(
  all: readonly T[],
  work: (one: T) => Promise<R | undefined>,
  { max = 64 }: { max?: number } = {},
): Promise<R[]> {
  const done: R[] = [];
  const keep = async (one: T) => {
    const result = await work(one).catch(() => undefined);
    if (result !== undefined) done.push(result);
  };
  await eachAtOnce(all, keep, { max });
  return done;
}
