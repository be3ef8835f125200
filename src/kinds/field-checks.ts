// The checks that validation of many kinds shares, in upstream's wording (apimachinery validation).
import type { FieldError } from "../lib/status-error.ts";
import { portName } from "./name-rules.ts";
import type { NameRule } from "./name-rules.ts";

export const required = (field: string, detail = ""): FieldError => ({
  type: "FieldValueRequired",
  field,
  message: detail ? `Required value: ${detail}` : "Required value",
});

export const invalidValue = (field: string, value: unknown, why: string): FieldError => ({
  type: "FieldValueInvalid",
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

export const forbiddenValue = (field: string, why: string): FieldError => ({
  type: "FieldValueForbidden",
  field,
  message: `Forbidden: ${why}`,
});

export const duplicate = (field: string, value: unknown): FieldError => ({
  type: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${JSON.stringify(value)}`,
});

export const notFoundValue = (field: string, value: unknown): FieldError => ({
  type: "FieldValueNotFound",
  field,
  message: `Not found: ${JSON.stringify(value)}`,
});

/** Why `text` is no name of its sort. */
export const nameErrors = (rule: NameRule, text: string, field: string): FieldError[] =>
  rule(text).map((why) => invalidValue(field, text, why));

export function supported(field: string, value: unknown, values: readonly string[]): FieldError[] {
  if (value === undefined || values.includes(value as string)) return [];
  const list = values.map((one) => JSON.stringify(one)).join(", ");
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  return [{ type: "FieldValueNotSupported", field, message }];
}

export const notNegative = (value: number | undefined, field: string): FieldError[] =>
  value !== undefined && value < 0
    ? [invalidValue(field, value, "must be greater than or equal to 0")]
    : [];

const portWhy = "must be between 1 and 65535, inclusive";

export const portNumber = (value: number | undefined, field: string): FieldError[] =>
  value !== undefined && (value < 1 || value > 65_535) ? [invalidValue(field, value, portWhy)] : [];

/** A port by its number or its name. */
export const portNumberOrName = (value: number | string, field: string): FieldError[] =>
  typeof value === "number" ? portNumber(value, field) : nameErrors(portName, value, field);

export const wrongCidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
export const wrongAddress = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
