// Lists of requests and limits.
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue } from "../field-checks.ts";
import { qualifiedName } from "../validate-metadata.ts";

type Any = Record<string, any>;

export function amount(text: string | number): number | undefined {
  try {
    return parseQuantity(text);
  } catch {
    return undefined;
  }
}

const ofContainers = ["cpu", "memory", "ephemeral-storage"];
const isHugePages = (name: string) => name.startsWith("hugepages-");
const standard =
  "pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports " +
  "services.loadbalancers storage requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu " +
  "limits.memory limits.ephemeral-storage";
const isStandard = new Set([...ofContainers, ...standard.split(" ")]);

export function resourceNameErrors(name: string, field: string): FieldError[] {
  const why = qualifiedName(name);
  if (why !== undefined) return [invalidValue(field, name, why)];
  if (name.includes("/") || isStandard.has(name) || /^(requests\.)?hugepages-/.test(name))
    return [];
  return [invalidValue(field, name, "must be a standard resource type or fully qualified")];
}

export function containerResourceErrors(name: string, field: string): FieldError[] {
  const errors = resourceNameErrors(name, field);
  if (!name.includes("/")) {
    if (ofContainers.includes(name) || isHugePages(name)) return errors;
    return [...errors, invalidValue(field, name, "must be a standard resource for containers")];
  }
  const isNative = name.slice(0, name.indexOf("/")).endsWith("kubernetes.io");
  if (
    isNative ||
    (!name.startsWith("requests.") && qualifiedName(`requests.${name}`) === undefined)
  )
    return errors;
  return [...errors, invalidValue(field, name, "doesn't follow extended resource name standard")];
}

export function resourceErrors(resources: Any | undefined, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const quantityWhy =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const list of ["limits", "requests"]) {
    for (const [name, text] of Object.entries<any>(resources?.[list] ?? {})) {
      const value = amount(text);
      const field = `${at}.${list}[${name}]`;
      errors.push(...containerResourceErrors(name, field));
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
