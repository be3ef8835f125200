// What the schema cannot say of a pod's security context, and of its names for itself.
import type { FieldError } from "../../lib/status-error.ts";
import { dnsLabel, dnsSubdomain, invalidValue, supported } from "../field-checks.ts";

type Any = Record<string, any>;

const idMax = 2 ** 31 - 1;
const idErrors = (id: number | undefined, field: string): FieldError[] =>
  id === undefined || (id >= 0 && id <= idMax)
    ? []
    : [invalidValue(field, id, `must be between 0 and ${idMax}, inclusive`)];

export function podSecurityErrors(context: Any | undefined, at: string): FieldError[] {
  if (!context) return [];
  const groups: number[] = context["supplementalGroups"] ?? [];
  return [
    ...["fsGroup", "runAsUser", "runAsGroup"].flatMap((field) =>
      idErrors(context[field], `${at}.${field}`),
    ),
    ...groups.flatMap((id, i) => idErrors(id, `${at}.supplementalGroups[${i}]`)),
    ...supported(`${at}.fsGroupChangePolicy`, context["fsGroupChangePolicy"], [
      "Always",
      "OnRootMismatch",
    ]),
    ...supported(`${at}.supplementalGroupsPolicy`, context["supplementalGroupsPolicy"], [
      "Merge",
      "Strict",
    ]),
  ];
}

export function podNameErrors({ hostname, subdomain, ...spec }: Any, at: string): FieldError[] {
  const rules: [name: string, value: string | undefined, rule: typeof dnsLabel][] = [
    ["hostname", hostname, dnsLabel],
    ["subdomain", subdomain, dnsLabel],
    ["nodeName", spec["nodeName"], dnsSubdomain],
    ["serviceAccountName", spec["serviceAccountName"], dnsSubdomain],
    ["priorityClassName", spec["priorityClassName"], dnsSubdomain],
  ];
  return rules.flatMap(([name, value, rule]) => {
    const why = value ? rule(value) : undefined;
    return why === undefined ? [] : [invalidValue(`${at}.${name}`, value, why)];
  });
}
