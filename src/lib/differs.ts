/** True when a merge of `wanted` would change `have`; both are JSON. */
export function differs(wanted: any, have: any): boolean {
  if (wanted === have || (wanted === null && have === undefined)) return false;
  if (typeof wanted !== "object" || typeof have !== "object" || !wanted || !have) return true;
  if (Array.isArray(wanted) !== Array.isArray(have)) return true;
  if (Array.isArray(wanted) && wanted.length !== have.length) return true;
  return Object.keys(wanted).some((key) => differs(wanted[key], have[key]));
}
