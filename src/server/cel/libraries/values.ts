// Equality of CEL's values where the evaluator does not ask its operators: whole numbers of any kind are equal
// when they mean the same, lists and maps when their parts are.

/** The evaluator's unsigned numbers are objects. */
export const isUint = (value: any): value is { valueOf(): bigint } =>
  value?.constructor?.name === "UnsignedInt";

export function equalValues(a: any, b: any): boolean {
  if (a === b) return true;
  if (isUint(a)) return equalValues(a.valueOf(), b);
  if (isUint(b)) return equalValues(a, b.valueOf());
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    const numbers = typeof a !== "string" && typeof b !== "string";
    // oxlint-disable-next-line eqeqeq -- 1n and 1 are the same number
    return numbers && typeof a !== "boolean" && typeof b !== "boolean" && a !== null && a == b;
  }
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((one, i) => equalValues(one, b[i]));
  }
  if (a instanceof Map && b instanceof Map) {
    return (
      a.size === b.size && [...a].every(([key, one]) => b.has(key) && equalValues(one, b.get(key)))
    );
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => equalValues(a[key], b[key]));
}

const ordinal = (value: any): any => {
  if (typeof value === "boolean") return Number(value);
  if (isUint(value)) return value.valueOf();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (value !== null && typeof value === "object" && "seconds" in value) {
    return Number(value.seconds) + value.nanos / 1e9;
  }
  return value;
};

/** The order of values of one type, for sorting. Throws for those that have none. */
export function compareValues(a: unknown, b: unknown): number {
  const [left, right] = [ordinal(a), ordinal(b)];
  if (left < right) return -1;
  if (left > right) return 1;
  const equal = left !== null && typeof left !== "object" && equalValues(left, right);
  if (equal || left instanceof Date) return 0;
  throw new Error("no such overload: the values have no order");
}
