// Quantities of Kubernetes (`100m`, `1.5Gi`, `2e3`) as numbers. A double holds every integer amount that
// occurs exactly; thousandths and below round as doubles do.

const factors: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const form = /^([+-]?(?:\d+(?:\.\d*)?|\.\d*))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

export const isQuantity = (text: string): boolean => form.test(text);

/** The number a quantity means; throws for text that is none. */
export function parseQuantity(value: string | number): number {
  if (typeof value === "number") return value;
  const match = form.exec(value);
  if (!match) throw new Error(`not a quantity: ${JSON.stringify(value)}`);
  const [, written, exponent, suffix = ""] = match;
  // A point alone is nothing.
  const digits = written!.replace(/\.$/, ".0");
  if (exponent) return Number(digits + exponent);
  // Dividing keeps 100m at 0.1, where multiplying by 0.001 may not.
  const factor = factors[suffix]!;
  return factor < 1 ? Number(digits) / Math.round(1 / factor) : Number(digits) * factor;
}
