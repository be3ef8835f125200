// The five fields of a cron schedule by the grammar that Kubernetes takes, and its words for what is none. Pure.
interface Field {
  min: number;
  max: number;
  names?: readonly string[];
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const days = "sun mon tue wed thu fri sat".split(" ");

const fields: readonly Field[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];

const descriptors: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

function numberOf(text: string, { min, names }: Field): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + min;
  if (/^\+?\d{1,9}$/.test(text)) return Number(text);
  throw new Error(`failed to parse int from ${text}: ${JSON.stringify(text)} is no number`);
}

/** `*`, `3`, `mon-fri`, `*\/15` or `10-40/5`. */
function rangeOf(part: string, field: Field) {
  const [range = "", step, ...slashes] = part.split("/");
  if (slashes.length > 0) throw new Error(`too many slashes: ${part}`);
  const [low = "", high, ...hyphens] = range.split("-");
  if (hyphens.length > 0) throw new Error(`too many hyphens: ${part}`);
  const isStar = low === "*" || low === "?";
  const start = isStar ? field.min : numberOf(low, field);
  const last = step === undefined ? start : field.max;
  const end = isStar ? field.max : high === undefined ? last : numberOf(high, field);
  const by = step === undefined ? 1 : numberOf(step, { min: 0, max: field.max });
  if (start < field.min) {
    throw new Error(`beginning of range (${start}) below minimum (${field.min}): ${part}`);
  }
  if (end > field.max)
    throw new Error(`end of range (${end}) above maximum (${field.max}): ${part}`);
  if (start > end) {
    throw new Error(`beginning of range (${start}) beyond end of range (${end}): ${part}`);
  }
  if (by === 0) throw new Error(`step of range should be a positive number: ${part}`);
  return { start, end, by, isStar: isStar && by === 1 };
}

/** A star stays one: which days are meant depends on whether a field is one. */
function plainField(text: string, field: Field): string {
  const values = new Set<number>();
  for (const part of text.split(",").filter(Boolean)) {
    const { start, end, by, isStar } = rangeOf(part, field);
    if (isStar) return "*";
    for (let value = start; value <= end; value += by) values.add(value);
  }
  if (values.size === 0) throw new Error(`failed to parse int from ${text}: it is no number`);
  return [...values].sort((a, b) => a - b).join(",");
}

/** The five fields as stars and lists of numbers. Throws what is wrong. */
export function cronFields(text: string): string {
  if (text === "") throw new Error("empty spec string");
  if (/^(CRON_)?TZ=/.test(text)) {
    throw new Error("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  }
  if (text.startsWith("@") && !Object.hasOwn(descriptors, text)) {
    throw new Error(`unrecognized descriptor: ${text}`);
  }
  const spec = descriptors[text] ?? text;
  const parts = spec.split(/\s+/).filter(Boolean);
  if (parts.length !== fields.length) {
    throw new Error(`expected exactly 5 fields, found ${parts.length}: [${parts.join(" ")}]`);
  }
  return parts.map((part, i) => plainField(part, fields[i]!)).join(" ");
}
