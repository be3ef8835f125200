// Equality of CEL's values where the evaluator does not ask its operators: whole numbers of any kind are equal
// when they mean the same, lists and maps when their parts are.

export function equalValues(a: any, b: any): boolean {
  if (a === b) return true;
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
