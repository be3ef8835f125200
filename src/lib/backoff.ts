/** Delay before try number `failures` (1 is the first): doubling from `firstMs`, at most `maxMs`. */
export const backoffMs = (
  failures: number,
  { firstMs, maxMs }: { firstMs: number; maxMs: number },
) => Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 40));
