// What the schema cannot say of NetworkPolicies.
import { isCidr, networkOf, overlaps } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  forbiddenValue,
  invalidValue,
  portNumberOrName,
  required,
  supported,
  wrongCidr,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { selectorErrors } from "../selector-validation.ts";

function blockErrors({ cidr, except = [] }: any, at: string): FieldError[] {
  if (!cidr) return [required(`${at}.cidr`)];
  if (!isCidr(cidr)) return [invalidValue(`${at}.cidr`, cidr, wrongCidr)];
  const isWithin = (inner: string) =>
    overlaps(cidr, inner) && networkOf(inner).bits > networkOf(cidr).bits;
  return except.flatMap((inner: string, i: number) => {
    const field = `${at}.except[${i}]`;
    if (!isCidr(inner)) return [invalidValue(field, inner, wrongCidr)];
    return isWithin(inner) ? [] : [invalidValue(field, inner, "must be a strict subset of `cidr`")];
  });
}

function peerErrors(peer: any, at: string): FieldError[] {
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
    : blockErrors(ipBlock, `${at}.ipBlock`);
}

function portErrors({ protocol, port, endPort }: any, at: string): FieldError[] {
  const errors = supported(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]);
  if (port !== undefined) errors.push(...portNumberOrName(port, `${at}.port`));
  if (endPort === undefined) return errors;
  const wrong = (why: string) => errors.push(forbiddenValue(`${at}.endPort`, why));
  if (port === undefined) wrong("may not be specified when `port` is not specified");
  else if (typeof port !== "number") wrong("may not be specified when `port` is non-numeric");
  else if (endPort < port) {
    const why = "must be greater than or equal to `port`";
    errors.push(invalidValue(`${at}.endPort`, endPort, why));
  }
  return errors;
}

const rules = (list: any[] | undefined, at: string, peers: "from" | "to"): FieldError[] =>
  (list ?? []).flatMap((rule, i) => [
    ...(rule.ports ?? []).flatMap((one: any, j: number) =>
      portErrors(one, `${at}[${i}].ports[${j}]`),
    ),
    ...(rule[peers] ?? []).flatMap((one: any, j: number) =>
      peerErrors(one, `${at}[${i}].${peers}[${j}]`),
    ),
  ]);

export function networkPolicyErrors({ object: { spec } }: Change): FieldError[] {
  const types: string[] = spec?.policyTypes ?? [];
  return [
    ...selectorErrors(spec?.podSelector, "spec.podSelector"),
    ...rules(spec?.ingress, "spec.ingress", "from"),
    ...rules(spec?.egress, "spec.egress", "to"),
    ...types.flatMap((one, i) => supported(`spec.policyTypes[${i}]`, one, ["Egress", "Ingress"])),
  ];
}
