/** Anything JSON can carry. Objects on the wire are plain; nothing in Kerb puts a class instance in one. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** True for a plain object (neither array nor null). */
export const isObject = (value: unknown): value is { [key: string]: any } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `map[name]`, never what JavaScript gives every object. */
export const own = (map: { [key: string]: any }, name: string): any =>
  Object.hasOwn(map, name) ? map[name] : undefined;

/** Sets `map[name]`; a plain assignment would take the name `__proto__` for the prototype. */
export function setOwn(map: object, name: string, value: unknown) {
  const how = { enumerable: true, configurable: true, writable: true };
  Object.defineProperty(map, name, { value, ...how });
}

/** Structural equality of JSON values; the order of keys does not matter. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => jsonEqual(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]))
  );
}
