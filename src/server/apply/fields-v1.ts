// Reading `fieldsV1` written by a client. Entries that Kerb wrote are already canonical.
import { leaf, type FieldSet } from "./field-set.ts";

/** Levels of `fieldsV1` that are read; objects do not nest deeper. */
const depthMax = 1_000;

/** The element for an item of a map list; `keys` are sorted by name. */
export const keyElement = (keys: [string, unknown][]) =>
  `k:${JSON.stringify(Object.fromEntries(keys))}`;

/** The set that `fieldsV1` tells, in canonical form, or undefined when it is malformed. */
export function readFieldsV1(json: unknown, depth = 0): FieldSet | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  if (depth > depthMax) return undefined;
  const out: FieldSet = {};
  for (const [text, value] of Object.entries(json)) {
    const element = readElement(text);
    const child = element === undefined ? undefined : readFieldsV1(value, depth + 1);
    if (element === undefined || !child) return undefined;
    out[element] = element === "." ? leaf : child;
  }
  return out;
}

function readElement(text: string): string | undefined {
  if (text === "." || text.startsWith("f:")) return text;
  try {
    if (/^i:\d+$/.test(text)) return text;
    if (text.startsWith("v:")) return `v:${JSON.stringify(JSON.parse(text.slice(2)))}`;
    if (!text.startsWith("k:")) return undefined;
    const keys: unknown = JSON.parse(text.slice(2));
    if (typeof keys !== "object" || keys === null || Array.isArray(keys)) return undefined;
    return keyElement(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
  } catch {
    return undefined;
  }
}
