// Akri's filters: only these, or all but these.
import { isObject } from "../../lib/json.ts";
import { textList } from "./details.ts";
import type { Details } from "./details.ts";
import { DetailsError } from "./handler.ts";

export interface Filter {
  action: "Include" | "Exclude";
  items: string[];
}

export function filterOf(details: Details, field: string): Filter | undefined {
  const value = details[field];
  if (value === undefined || value === null) return undefined;
  const { action = "Include", items, ...unknown } = isObject(value) ? value : {};
  const [other] = Object.keys(unknown);
  if (other !== undefined) {
    throw new DetailsError(`discoveryDetails.${field}: unknown field ${JSON.stringify(other)}`);
  }
  const isFilter = items !== undefined && (action === "Include" || action === "Exclude");
  if (!isFilter) {
    throw new DetailsError(`discoveryDetails.${field}: expected action Include or Exclude, items`);
  }
  return { action, items: textList({ items }, "items") };
}

/** True when one of `values` may pass; `exactly`, letter by letter. */
export function passes(
  filter: Filter | undefined,
  values: string[],
  { exactly = false }: { exactly?: boolean } = {},
): boolean {
  if (!filter) return true;
  const form = (text: string) => (exactly ? text : text.toLowerCase());
  const wanted = new Set(filter.items.map(form));
  const named = values.some((value) => wanted.has(form(value)));
  return filter.action === "Include" ? named : !named;
}
