// Lists of requests and limits.
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required } from "../field-checks.ts";
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
  return [...errors, ...requestErrors(resources, at)];
}

/** What nodes cannot promise twice. */
const isExclusive = (name: string) =>
  isHugePages(name) || (name.includes("/") && !name.includes("kubernetes.io/"));

function requestErrors(resources: Any | undefined, at: string): FieldError[] {
  return Object.entries<any>(resources?.["requests"] ?? {}).flatMap(([name, text]) => {
    const limit = resources?.["limits"]?.[name];
    if (limit === undefined) {
      const why = "Limit must be set for non overcommitable resources";
      return isExclusive(name) ? [required(`${at}.limits`, why)] : [];
    }
    const [asked, most] = [amount(text) ?? 0, amount(limit) ?? Number.POSITIVE_INFINITY];
    const wrong = (how: string) => [
      invalidValue(`${at}.requests`, text, `must be ${how} ${name} limit of ${limit}`),
    ];
    if (isExclusive(name)) return asked === most ? [] : wrong("equal to");
    return asked > most ? wrong("less than or equal to") : [];
  });
}
