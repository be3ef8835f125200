// What the schema cannot say of NetworkPolicies.
import { isCidr, networkOf, overlaps } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { cidrRule } from "../address-rules.ts";
import {
  forbiddenValue,
  invalidValue,
  portNumber,
  portNumberOrName,
  required,
  supported,
  wrongCidr,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { each, none, oneOf } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";

/** A range that was there already stays, as upstream lets it. */
function blockErrors({ cidr = "", except = [] }: any, at: string, known: Set<string>): Errors {
  const judge = (range: string, field: string) =>
    known.has(range) ? none : cidrRule(range, field);
  const field = `${at}.cidr`;
  const errors = cidr ? judge(cidr, field) : [required(field), invalidValue(field, "", wrongCidr)];
  if (!isCidr(cidr)) return errors;
  const isWithin = (inner: string) =>
    overlaps(cidr, inner) && networkOf(inner).bits > networkOf(cidr).bits;
  return [
    ...errors,
    ...except.flatMap((inner: string, i: number) => {
      const place = `${at}.except[${i}]`;
      const wrong = judge(inner, place);
      return isCidr(inner) && !isWithin(inner)
        ? [...wrong, invalidValue(place, inner, "must be a strict subset of `cidr`")]
        : wrong;
    }),
  ];
}

function peerErrors(peer: any, at: string, known: Set<string>): Errors {
  const { ipBlock, podSelector, namespaceSelector } = peer;
  if (!ipBlock && !podSelector && !namespaceSelector) {
    return [required(at, "must specify a peer")];
  }
  const errors = [
    ...selectorErrors(podSelector, `${at}.podSelector`),
    ...selectorErrors(namespaceSelector, `${at}.namespaceSelector`),
  ];
  if (!ipBlock) return errors;
  return podSelector || namespaceSelector
    ? [forbiddenValue(at, "may not specify both ipBlock and another peer")]
    : blockErrors(ipBlock, `${at}.ipBlock`, known);
}

function portErrors({ protocol, port, endPort }: any, at: string): FieldError[] {
  const errors = supported(`${at}.protocol`, protocol, ["TCP", "UDP", "SCTP"]);
  if (port !== undefined) errors.push(...portNumberOrName(port, `${at}.port`));
  if (endPort === undefined) return errors;
  const wrong = (why: string) => errors.push(forbiddenValue(`${at}.endPort`, why));
  if (port === undefined) wrong("may not be specified when `port` is not specified");
  else if (typeof port !== "number") wrong("may not be specified when `port` is non-numeric");
  else {
    if (endPort < port) {
      const why = "must be greater than or equal to `port`";
      errors.push(invalidValue(`${at}.endPort`, port, why));
    }
    errors.push(...portNumber(endPort, `${at}.endPort`));
  }
  return errors;
}

function rulesErrors(
  list: any[] | undefined,
  at: string,
  peers: "from" | "to",
  known: Set<string>,
): Errors {
  return (list ?? []).flatMap((rule, i) => [
    ...(rule.ports ?? []).flatMap((one: any, j: number) =>
      portErrors(one, `${at}[${i}].ports[${j}]`),
    ),
    ...(rule[peers] ?? []).flatMap((one: any, j: number) =>
      peerErrors(one, `${at}[${i}].${peers}[${j}]`, known),
    ),
  ]);
}

function* rangesOf({ ingress = [], egress = [] }: any): Generator<string> {
  for (const { ipBlock } of [...ingress, ...egress].flatMap(({ from = [], to = [] }) => [
    ...from,
    ...to,
  ])) {
    if (ipBlock) yield* [ipBlock.cidr, ...(ipBlock.except ?? [])];
  }
}

const directionsMax = 2;
const direction = oneOf("Ingress", "Egress");

export function networkPolicyErrors({ object: { spec }, old }: Change): Errors {
  const known = new Set(old ? rangesOf(old.spec ?? {}) : []);
  const types: string[] = spec?.policyTypes ?? [];
  return [
    ...selectorErrors(spec?.podSelector, "spec.podSelector"),
    ...rulesErrors(spec?.ingress, "spec.ingress", "from", known),
    ...rulesErrors(spec?.egress, "spec.egress", "to", known),
    ...(types.length > directionsMax
      ? [invalidValue("spec.policyTypes", types, "may not specify more than two policyTypes")]
      : each(direction)(types, "spec.policyTypes")),
  ];
}
