// The checks that validation of many kinds shares, in upstream's wording (apimachinery validation).
import type { FieldError } from "../lib/status-error.ts";

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

export function supported(field: string, value: unknown, values: readonly string[]): FieldError[] {
  if (value === undefined || values.includes(value as string)) return [];
  const list = values.map((one) => JSON.stringify(one)).join(", ");
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  return [{ type: "FieldValueNotSupported", field, message }];
}

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const serviceLabel = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

const labelWhy =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
  "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const subdomainWhy =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
  "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const serviceWhy =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " +
  "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is " +
  "'[a-z]([-a-z0-9]*[a-z0-9])?')";

/** A way to judge names; gives why not, or undefined. */
export type NameRule = (name: string) => string | undefined;

const limited =
  (pattern: RegExp, why: string, max: number): NameRule =>
  (name) => {
    if (name.length > max) return `must be no more than ${max} characters`;
    return pattern.test(name) ? undefined : why;
  };

export const dnsLabel = limited(label, labelWhy, 63);
export const dnsSubdomain = limited(subdomain, subdomainWhy, 253);
export const serviceName = limited(serviceLabel, serviceWhy, 63);

/** For kinds whose names are only parts of paths, as RBAC's. */
export const pathSegment: NameRule = (name) => {
  if (name === "." || name === "..") return `may not be '${name}'`;
  if (name.includes("/")) return "may not contain '/'";
  return name.includes("%") ? "may not contain '%'" : undefined;
};

export const notNegative = (value: number | undefined, field: string): FieldError[] =>
  value !== undefined && value < 0
    ? [invalidValue(field, value, "must be greater than or equal to 0")]
    : [];

const portWhy = "must be between 1 and 65535, inclusive";

export const portNumber = (value: number | undefined, field: string): FieldError[] =>
  value !== undefined && (value < 1 || value > 65_535) ? [invalidValue(field, value, portWhy)] : [];

/** A port by its number or its name (an IANA_SVC_NAME). */
export function portNumberOrName(value: number | string, field: string): FieldError[] {
  if (typeof value === "number") return portNumber(value, field);
  if (value.length > 15) return [invalidValue(field, value, "must be no more than 15 characters")];
  if (!/^[-a-z0-9]+$/.test(value)) {
    const why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    return [invalidValue(field, value, why)];
  }
  if (!/[a-z]/.test(value)) {
    return [invalidValue(field, value, "must contain at least one letter (a-z)")];
  }
  if (value.includes("--")) {
    return [invalidValue(field, value, "must not contain consecutive hyphens")];
  }
  if (!/^[^-].*[^-]$|^[^-]$/.test(value)) {
    return [invalidValue(field, value, "must not begin or end with a hyphen")];
  }
  return [];
}

export const wrongCidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
export const wrongAddress = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
