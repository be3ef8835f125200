// What claims of devices must say beyond their schema (upstream's resource.k8s.io validation).
import type { FieldError } from "../../lib/status-error.ts";
import {
  duplicate,
  forbiddenValue,
  invalidValue,
  nameErrors,
  required,
  supported,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel } from "../name-rules.ts";

const modes = ["ExactCount", "All"];
const devicesMax = 32;

function exactErrors(request: any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!request.deviceClassName) errors.push(required(`${at}.deviceClassName`));
  errors.push(...supported(`${at}.allocationMode`, request.allocationMode, modes));
  const { allocationMode, count } = request;
  if (allocationMode === "All" && count) {
    const why = "must not be specified when allocationMode is 'All'";
    errors.push(invalidValue(`${at}.count`, count, why));
  }
  if (allocationMode === "ExactCount" && !(count > 0)) {
    errors.push(invalidValue(`${at}.count`, count, "must be greater than zero"));
  }
  for (const [i, selector] of (request.selectors ?? []).entries()) {
    if (!selector.cel) errors.push(required(`${at}.selectors[${i}].cel`));
    else if (!selector.cel.expression)
      errors.push(required(`${at}.selectors[${i}].cel.expression`));
  }
  return errors;
}

function namesErrors(named: any[], at: string): FieldError[] {
  const seen = new Set<string>();
  return named.flatMap(({ name }, i) => {
    const field = `${at}[${i}].name`;
    if (!name) return [required(field)];
    const reasons = nameErrors(dnsLabel, name, field);
    if (reasons.length > 0) return reasons;
    if (seen.has(name)) return [duplicate(field, name)];
    seen.add(name);
    return [];
  });
}

function requestErrors(request: any, at: string): FieldError[] {
  const { exactly, firstAvailable = [] } = request;
  if (exactly && firstAvailable.length > 0) {
    const why = "exactly one of `exactly` or `firstAvailable` is required";
    return [invalidValue(at, request.name, why)];
  }
  if (exactly) return exactErrors(exactly, `${at}.exactly`);
  if (firstAvailable.length === 0) {
    return [required(at, "exactly one of `exactly` or `firstAvailable` is required")];
  }
  return [
    ...namesErrors(firstAvailable, `${at}.firstAvailable`),
    ...firstAvailable.flatMap((one: any, i: number) =>
      exactErrors(one, `${at}.firstAvailable[${i}]`),
    ),
  ];
}

const namesOf = (requests: any[]) =>
  new Set(
    requests.flatMap(({ name, firstAvailable = [] }) => [
      name,
      ...firstAvailable.map((one: any) => `${name}/${one.name}`),
    ]),
  );

/** Requests that a constraint or a configuration is about must be there. */
function aboutErrors(all: any[], known: Set<string>, at: string): FieldError[] {
  return all.flatMap(({ requests = [] }, i) =>
    requests.flatMap((name: string, j: number) =>
      known.has(name)
        ? []
        : [
            invalidValue(
              `${at}[${i}].requests[${j}]`,
              name,
              "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
            ),
          ],
    ),
  );
}

function constraintErrors(constraint: any, at: string): FieldError[] {
  const { matchAttribute, distinctAttribute } = constraint;
  if (Boolean(matchAttribute) !== Boolean(distinctAttribute)) return [];
  return [required(at, "exactly one of `matchAttribute` or `distinctAttribute` is required")];
}

function specErrors(spec: any, at: string): FieldError[] {
  const { requests = [], constraints = [], config = [] } = spec?.devices ?? {};
  const under = `${at}.devices`;
  const known = namesOf(requests);
  if (requests.length > devicesMax) {
    return [invalidValue(`${under}.requests`, requests.length, `must have at most ${devicesMax}`)];
  }
  return [
    ...namesErrors(requests, `${under}.requests`),
    ...requests.flatMap((one: any, i: number) => requestErrors(one, `${under}.requests[${i}]`)),
    ...aboutErrors(constraints, known, `${under}.constraints`),
    ...constraints.flatMap((one: any, i: number) =>
      constraintErrors(one, `${under}.constraints[${i}]`),
    ),
    ...aboutErrors(config, known, `${under}.config`),
  ];
}

export const resourceClaimErrors = ({ object }: Change) => specErrors(object.spec, "spec");
export const resourceClaimTemplateErrors = ({ object }: Change) =>
  specErrors(object.spec?.spec, "spec.spec");

const notWaited = ["bindingConditions", "bindingFailureConditions", "bindsToNode"];

/** Pods are bound without waiting for a device to be made ready, so one that needs it must not be chosen. */
export const resourceSliceErrors = ({ object }: Change): FieldError[] =>
  (object.spec?.devices ?? []).flatMap((device: any, i: number) =>
    notWaited
      .filter((field) => device[field] !== undefined)
      .map((field) =>
        forbiddenValue(`spec.devices[${i}].${field}`, "binding conditions are not supported"),
      ),
  );

export const deviceClassErrors = ({ object }: Change): FieldError[] =>
  object.spec?.extendedResourceName === undefined
    ? []
    : [
        forbiddenValue(
          "spec.extendedResourceName",
          "pods that ask for an extended resource are given no claims; ask by resourceClaims",
        ),
      ];
