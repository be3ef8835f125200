// What claims of devices, and what classes say of devices, must say beyond their schema.
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain } from "../name-rules.ts";
import { all, atMost, each, fields, named, needed, none, unique } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { templateMetadata } from "../validate-metadata.ts";
import {
  configuration,
  configurationsMax,
  deviceName as requestName,
  selectors,
  toleration,
  wholeAttributeName,
} from "./device-rules.ts";

const requestsMax = 32;
const alternativesMax = 8;
const constraintsMax = 32;
const tolerationsMax = 16;

const countErrors: Rule = ({ allocationMode = "", count = 0 }, at) => {
  if (allocationMode === "All") {
    const why = "must not be specified when allocationMode is 'All'";
    return count === 0 ? none : [invalidValue(`${at}.count`, count, why)];
  }
  if (allocationMode !== "ExactCount") {
    return supported(`${at}.allocationMode`, allocationMode, ["All", "ExactCount"]);
  }
  return count > 0 ? none : [invalidValue(`${at}.count`, count, "must be greater than zero")];
};

/** What is asked for, by itself or as one of several. */
const exact = all(
  fields({
    deviceClassName: needed(named(dnsSubdomain)),
    selectors,
    tolerations: atMost(tolerationsMax, each(toleration)),
  }),
  countErrors,
);

/** Names are told where they stand, or with the whole item. */
const uniqueNames = unique(({ name }) => name);

const alternatives = atMost(
  alternativesMax,
  all(each(all(fields({ name: requestName }), exact)), uniqueNames),
);

const oneWhy = "exactly one of `exactly` or `firstAvailable` is required";

const request: Rule = (one, at) => {
  const { exactly, firstAvailable = [] } = one;
  const name = requestName(one.name, `${at}.name`);
  if (exactly && firstAvailable.length > 0) {
    return [...name, invalidValue(at, null, `${oneWhy}, but multiple fields are set`)];
  }
  if (exactly) return [...name, ...exact(exactly, `${at}.exactly`)];
  return firstAvailable.length > 0
    ? [...name, ...alternatives(firstAvailable, `${at}.firstAvailable`)]
    : [...name, required(at, oneWhy)];
};

const requests = atMost(requestsMax, all(each(request), uniqueNames));

/** Of a claim: its requests, and each of their alternatives. */
export const requestNames = (spec: any): ReadonlySet<string> =>
  new Set(
    (spec?.devices?.requests ?? []).flatMap(({ name, firstAvailable = [] }: any) => [
      name,
      ...firstAvailable.map((one: any) => `${name}/${one.name}`),
    ]),
  );

const unknownWhy =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

export const requestReference =
  (known: ReadonlySet<string>): Rule =>
  (text: string, at) => {
    const parts = text.split("/");
    if (parts.length > 2) return [invalidValue(at, text, unknownWhy)];
    return [
      ...parts.flatMap((part) => requestName(part, at)),
      ...(known.has(text) ? none : [invalidValue(at, text, unknownWhy)]),
    ];
  };

export const requestReferences = (known: ReadonlySet<string>): Rule =>
  atMost(requestsMax, all(each(requestReference(known)), unique()));

const missingWhy =
  'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';

const attributes: Rule = ({ matchAttribute: match, distinctAttribute: distinct }, at) => {
  if (match !== undefined) return wholeAttributeName(match, `${at}.matchAttribute`);
  if (distinct !== undefined) return wholeAttributeName(distinct, `${at}.distinctAttribute`);
  return [required(at, missingWhy)];
};

function devices(claimed: any, at: string): Errors {
  if (!claimed) return none;
  const about = fields({ requests: requestReferences(requestNames({ devices: claimed })) });
  return fields({
    requests,
    constraints: atMost(constraintsMax, each(all(about, attributes))),
    config: atMost(configurationsMax, each(all(about, configuration))),
  })(claimed, at);
}

const claimSpec = fields({ devices });

export const claimSpecErrors = (spec: any, at: string): Errors => claimSpec(spec ?? {}, at);

export const resourceClaimTemplateErrors = ({ object, old }: Change): Errors => {
  if (old) return none;
  const { metadata, spec } = object.spec ?? {};
  return [
    ...(metadata ? templateMetadata(metadata, "spec.metadata") : none),
    ...claimSpecErrors(spec, "spec.spec"),
  ];
};

const extendedWhy =
  "pods that ask for an extended resource are given no claims; ask by resourceClaims";
const classSpec = fields({
  selectors,
  config: atMost(configurationsMax, each(configuration)),
  extendedResourceName: (_, at) => [forbiddenValue(at, extendedWhy)],
});

export const deviceClassErrors = ({ object }: Change): Errors => classSpec(object.spec, "spec");
