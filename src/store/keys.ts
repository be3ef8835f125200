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

/** What LMDB takes as a key, less some for its encoding; Kubernetes' longest names stay below half. */
const keyBytesMax = 1024;

/** Nothing can have such a key, and nobody who asks for it is told more. */
export const isTooLong = (key: string) => Buffer.byteLength(key) > keyBytesMax;
