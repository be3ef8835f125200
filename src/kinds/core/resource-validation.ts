// Lists of requests and limits.
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  nameErrors,
  notFoundValue,
  required,
} from "../field-checks.ts";
import { dnsLabel, qualifiedName } from "../name-rules.ts";
import { none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

export function amount(text: string | number): number | undefined {
  try {
    return parseQuantity(text);
  } catch {
    return undefined;
  }
}

/** Of one quantity; what cannot be read was refused before. */
export const notNegativeAmount: Rule = (text, at) =>
  (amount(text) ?? 0) < 0 ? [invalidValue(at, text, "must be greater than or equal to 0")] : none;

export const positiveAmount: Rule = (text, at) =>
  (amount(text) ?? 1) <= 0 ? [invalidValue(at, text, "must be greater than zero")] : none;

const ofContainers = ["cpu", "memory", "ephemeral-storage"];
const isHugePages = (name: string) => name.startsWith("hugepages-");
const standard =
  "pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports " +
  "services.loadbalancers storage requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu " +
  "limits.memory limits.ephemeral-storage";
const isStandard = new Set([...ofContainers, ...standard.split(" ")]);

export function resourceNameErrors(name: string, field: string): FieldError[] {
  const reasons = nameErrors(qualifiedName, name, field);
  if (reasons.length > 0) return reasons;
  if (name.includes("/") || isStandard.has(name) || /^(requests\.)?hugepages-/.test(name))
    return [];
  return [invalidValue(field, name, "must be a standard resource type or fully qualified")];
}

const isNativeName = (name: string) => !name.includes("/") || name.includes("kubernetes.io/");

export function containerResourceErrors(name: string, field: string): FieldError[] {
  const errors = resourceNameErrors(name, field);
  if (!name.includes("/")) {
    if (ofContainers.includes(name) || isHugePages(name)) return errors;
    return [...errors, invalidValue(field, name, "must be a standard resource for containers")];
  }
  if (
    isNativeName(name) ||
    (!name.startsWith("requests.") && qualifiedName(`requests.${name}`).length === 0)
  )
    return errors;
  return [...errors, invalidValue(field, name, "doesn't follow extended resource name standard")];
}

/** Resources of others than Kubernetes, which come in pieces. */
export const isExtended = (name: string) => !isNativeName(name) && !name.startsWith("requests.");

/** A whole number of pages. */
function pagesErrors(name: string, text: string, field: string): Errors {
  if (!isHugePages(name)) return none;
  const [page, value] = [amount(name.slice("hugepages-".length)), amount(text) ?? 0];
  if (page && page > 0 && value % page === 0) return none;
  return [invalidValue(field, text, `${text} is not positive integer multiple of ${name}`)];
}

export const integerErrors = (text: string, field: string): Errors =>
  Number.isInteger(amount(text) ?? 0) ? none : [invalidValue(field, text, "must be an integer")];

type NameErrors = (name: string, field: string) => Errors;

function listErrors(list: Any, at: string, nameErrorsOf: NameErrors): Errors {
  let errors = none;
  for (const name in list) {
    const field = `${at}[${name}]`;
    const text = list[name];
    const found = [
      ...nameErrorsOf(name, field),
      ...notNegativeAmount(text, field),
      ...(isExtended(name) ? integerErrors(text, field) : none),
      ...pagesErrors(name, text, field),
    ];
    if (found.length > 0) errors = [...errors, ...found];
  }
  return errors;
}

const compute = ["cpu", "memory"];

/** Of requests and limits; `nameErrorsOf` says which names they may have. */
export const requirementErrors =
  (nameErrorsOf: NameErrors): Rule =>
  ({ limits = {}, requests = {} }, at) => {
    const names = [...Object.keys(limits), ...Object.keys(requests)];
    const alone = names.some(isHugePages) && !compute.some((name) => names.includes(name));
    return [
      ...listErrors(limits, `${at}.limits`, nameErrorsOf),
      ...listErrors(requests, `${at}.requests`, nameErrorsOf),
      ...requestErrors({ limits, requests }, at),
      ...(alone ? [forbiddenValue(at, "HugePages require cpu or memory")] : none),
    ];
  };

export const resourceErrors = requirementErrors(containerResourceErrors);

/** Of the claims of devices that a container uses; `known` are the pod's. */
export function claimNameErrors(used: Any[], at: string, known: ReadonlySet<string>): Errors {
  const seen = new Set<string>();
  return used.flatMap(({ name, request }, i) => {
    const field = `${at}[${i}]`;
    if (!name) return [required(field)];
    const key = request ? `${name}/${request}` : name;
    const isTwice =
      seen.has(name) ||
      seen.has(key) ||
      (!request && [...seen].some((one) => one.startsWith(`${name}/`)));
    const errors: FieldError[] = isTwice ? [duplicate(field, seen.has(name) ? name : key)] : [];
    if (request && !seen.has(name))
      errors.push(...nameErrors(dnsLabel, request, `${field}.request`));
    seen.add(key);
    if (known.has(name)) return errors;
    const list = known.size > 0 ? `: ${[...known].sort().join(", ")}` : " which is empty";
    const { message } = notFoundValue(field, name);
    const why = `${message}: must be one of the names in pod.spec.resourceClaims${list}`;
    return [...errors, { type: "FieldValueNotFound", field, message: why }];
  });
}

/** What nodes cannot promise twice. */
export const isExclusive = (name: string) => isHugePages(name) || !isNativeName(name);

function requestErrors(resources: Any, at: string): FieldError[] {
  return Object.entries<any>(resources["requests"]).flatMap(([name, text]) => {
    const limit = resources["limits"][name];
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
