// What the networking group checks beyond its schemas.
import { canonicalAddress, isAddress, isCidr } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required, wrongAddress, wrongCidr } from "../field-checks.ts";
import type { Change } from "../kind.ts";

/** One of each family. */
const cidrsMax = 2;

export function ipAddressErrors({ object }: Change): FieldError[] {
  const errors: FieldError[] = [];
  const { name } = object.metadata;
  if (!isAddress(name)) errors.push(invalidValue("metadata.name", name, wrongAddress));
  else if (canonicalAddress(name) !== name) {
    const why = `must be in canonical form ("${canonicalAddress(name)}")`;
    errors.push(invalidValue("metadata.name", name, why));
  }
  const parent = object.spec?.parentRef;
  if (!parent) return [...errors, required("spec.parentRef")];
  for (const field of ["resource", "name"]) {
    if (!parent[field]) errors.push(required(`spec.parentRef.${field}`));
  }
  return errors;
}

export function serviceCidrErrors({ object }: Change): FieldError[] {
  const cidrs: string[] = object.spec?.cidrs ?? [];
  const at = "spec.cidrs";
  if (cidrs.length === 0) return [required(at, "at least one CIDR required")];
  if (cidrs.length > cidrsMax) {
    return [invalidValue(at, cidrs, "may only hold up to 2 values")];
  }
  const wrong = cidrs.flatMap((cidr, i) =>
    isCidr(cidr) ? [] : [invalidValue(`${at}[${i}]`, cidr, wrongCidr)],
  );
  if (wrong.length > 0 || cidrs.length < cidrsMax) return wrong;
  const isV6 = cidrs.map((cidr) => cidr.includes(":"));
  if (isV6[0] !== isV6[1]) return [];
  return [
    invalidValue(
      at,
      cidrs,
      "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
    ),
  ];
}
