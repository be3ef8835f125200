// What the networking group checks of the addresses that it gives out.
import { canonicalAddressRule, canonicalCidrRule } from "../address-rules.ts";
import { invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, pathSegment } from "../name-rules.ts";
import { each, fields, given, named, needed, none } from "../rules.ts";
import type { Errors } from "../rules.ts";

const part = named(pathSegment);
const parent = needed(
  fields({
    group: given(named(dnsSubdomain)),
    resource: needed(part),
    name: needed(part),
    namespace: given(part),
  }),
);

export const ipAddressErrors = ({ object, old }: Change): Errors => [
  ...(old ? none : canonicalAddressRule(object.metadata.name, "metadata.name")),
  ...parent(object.spec?.parentRef, "spec.parentRef"),
];

/** One of each family. */
const cidrsMax = 2;
const familyWhy =
  "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";

export function serviceCidrErrors({ object }: Change): Errors {
  const cidrs: string[] = object.spec?.cidrs ?? [];
  const at = "spec.cidrs";
  if (cidrs.length === 0) return [required(at, "at least one CIDR required")];
  if (cidrs.length > cidrsMax) return [invalidValue(at, cidrs, "may only hold up to 2 values")];
  const wrong = each(canonicalCidrRule)(cidrs, at);
  const isV6 = cidrs.map((cidr) => cidr.includes(":"));
  if (wrong.length > 0 || cidrs.length < cidrsMax || isV6[0] !== isV6[1]) return wrong;
  return [invalidValue(at, cidrs, familyWhy)];
}
