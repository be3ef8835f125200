// Lists of requests and limits.
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue } from "../field-checks.ts";

type Any = Record<string, any>;

export function amount(text: string | number): number | undefined {
  try {
    return parseQuantity(text);
  } catch {
    return undefined;
  }
}

/** A standard one, or a name in a domain. */
const isContainerResource = (name: string) =>
  ["cpu", "memory", "ephemeral-storage"].includes(name) || /^hugepages-.|\//.test(name);

export function resourceErrors(resources: Any | undefined, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const quantityWhy =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const list of ["limits", "requests"]) {
    for (const [name, text] of Object.entries<any>(resources?.[list] ?? {})) {
      const value = amount(text);
      const field = `${at}.${list}[${name}]`;
      if (!isContainerResource(name)) {
        errors.push(invalidValue(field, name, "must be a standard resource for containers"));
      }
      if (value === undefined) errors.push(invalidValue(field, text, quantityWhy));
      else if (value < 0)
        errors.push(invalidValue(field, text, "must be greater than or equal to 0"));
    }
  }
  for (const [name, text] of Object.entries<any>(resources?.["requests"] ?? {})) {
    const limit = resources?.["limits"]?.[name];
    if (limit === undefined || (amount(text) ?? 0) <= (amount(limit) ?? Number.POSITIVE_INFINITY))
      continue;
    const why = `must be less than or equal to ${name} limit of ${limit}`;
    errors.push(invalidValue(`${at}.requests`, text, why));
  }
  return errors;
}
