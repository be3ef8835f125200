// Reads discoveryDetails: YAML of a shape that each handler says. What it does not know it refuses by name.
import { parse } from "yaml";
import { isObject } from "../../lib/json.ts";
import { DetailsError } from "./handler.ts";

const detailsBytesMax = 256 * 1024;
/** Aliases that YAML may unfold to, against bombs. */
const aliasesMax = 100;

export type Details = Record<string, any>;

export function readDetails(text: string, fields: string[]): Details {
  if (text.length > detailsBytesMax) throw new DetailsError("discoveryDetails is too long");
  let found: unknown;
  try {
    found = parse(text, { maxAliasCount: aliasesMax });
  } catch (error) {
    throw new DetailsError(`discoveryDetails is not YAML: ${(error as Error).message}`);
  }
  if (found === null || found === undefined) return {};
  if (!isObject(found)) throw new DetailsError("discoveryDetails: expected a map");
  const unknown = Object.keys(found).find((key) => !fields.includes(key));
  if (unknown !== undefined) {
    throw new DetailsError(`discoveryDetails: unknown field ${JSON.stringify(unknown)}`);
  }
  return found;
}

export function textList(details: Details, field: string): string[] {
  const list = details[field] ?? [];
  if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
  throw new DetailsError(`discoveryDetails.${field}: expected a list of strings`);
}
