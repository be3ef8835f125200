// Whether two parts of an object mean the same: an empty list is as good as none, as for Go's types.
import { isObject } from "../lib/json.ts";

const isNothing = (value: unknown) =>
  value === undefined || (Array.isArray(value) && value.length === 0);

/** Pure. Both are JSON. */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b || (isNothing(a) && isNothing(b))) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => semanticEqual(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const key of Object.keys(a)) if (!semanticEqual(a[key], b[key])) return false;
  return Object.keys(b).every((key) => key in a || isNothing(b[key]));
}
