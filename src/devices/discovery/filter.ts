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
  const { action = "Include" } = isObject(value) ? value : {};
  if (!isObject(value) || (action !== "Include" && action !== "Exclude")) {
    throw new DetailsError(`discoveryDetails.${field}: expected action Include or Exclude, items`);
  }
  return { action, items: textList(value, "items") };
}

/** True when one of `values` may pass. */
export function passes(filter: Filter | undefined, values: string[]): boolean {
  if (!filter) return true;
  const wanted = new Set(filter.items.map((item) => item.toLowerCase()));
  const named = values.some((value) => wanted.has(value.toLowerCase()));
  return filter.action === "Include" ? named : !named;
}
