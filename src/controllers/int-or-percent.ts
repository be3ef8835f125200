/** Reads an `IntOrString` that may be a percentage of `total`. */
export function intOrPercent(
  value: number | string | undefined,
  total: number,
  { roundUp, otherwise }: { roundUp: boolean; otherwise: number },
): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value === "number") return value;
  if (!value.endsWith("%")) return Number.parseInt(value, 10) || 0;
  const share = (Number.parseInt(value, 10) * total) / 100;
  return roundUp ? Math.ceil(share) : Math.floor(share);
}
