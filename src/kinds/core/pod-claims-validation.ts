// Which claims of devices a pod has.
import { duplicate, invalidValue } from "../field-checks.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import { fields, named, needed, none } from "../rules.ts";
import type { Rule } from "../rules.ts";

type Any = Record<string, any>;

const claimWhy =
  "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
const noClaimWhy = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
const claimFields = fields({
  resourceClaimName: named(dnsSubdomain),
  resourceClaimTemplateName: named(dnsSubdomain),
});

export const podClaims: Rule = (claims: Any[], at) => {
  const seen = new Set<string>();
  return claims.flatMap((claim, i) => {
    const { name, resourceClaimName: one, resourceClaimTemplateName: other } = claim;
    const field = `${at}[${i}]`;
    const isTwice = seen.has(name);
    if (name) seen.add(name);
    return [
      ...(isTwice
        ? [duplicate(`${field}.name`, name)]
        : needed(named(dnsLabel))(name, `${field}.name`)),
      ...(one !== undefined && other !== undefined ? [invalidValue(field, claim, claimWhy)] : none),
      ...(one === undefined && other === undefined
        ? [invalidValue(field, claim, noClaimWhy)]
        : none),
      ...claimFields(claim, field),
    ];
  });
};
