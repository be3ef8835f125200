// Keys with their revisions, in order.

/** `pods/` of `pods/default/web`. */
export const resourceOf = (key: string) => key.slice(0, key.indexOf("/") + 1);

export const byKey = ([a]: [string, ...unknown[]], [b]: [string, ...unknown[]]) =>
  a < b ? -1 : a > b ? 1 : 0;

export function* without(
  keys: Iterable<[string, number]>,
  hidden: (key: string) => boolean,
): Iterable<[string, number]> {
  for (const entry of keys) if (!hidden(entry[0])) yield entry;
}
