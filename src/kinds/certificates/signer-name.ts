// Names of signers, as requests for certificates and volumes of them say: a domain and a path.
import { invalidValue } from "../field-checks.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import type { NameRule } from "../name-rules.ts";
import { needed, none, tooLong } from "../rules.ts";
import type { Errors } from "../rules.ts";

const domainCharsMax = 253;
const pathCharsMax = 253 + 63 + 1;
const formWhy = "must be a fully qualified domain and path of the form 'example.com/signer-name'";

const lengthErrors = (at: string, text: string, max: number): Errors =>
  text.length > max ? [tooLong(at, max)] : none;

/** Of the labels between dots the first that is wrong. */
function labelsErrors(rule: NameRule, text: string, at: string): Errors {
  const wrong = text.split(".").find((label) => rule(label).length > 0);
  if (wrong === undefined) return none;
  return rule(wrong).map((why) =>
    invalidValue(at, text, `validating label ${JSON.stringify(wrong)}: ${why}`),
  );
}

export const signerName = needed((name: string, at) => {
  const [domain = "", path, ...more] = name.split("/");
  if (path === undefined || more.length > 0) return [invalidValue(at, name, formWhy)];
  const short = "should be a domain with at least two segments separated by dots";
  return [
    ...lengthErrors(at, domain, domainCharsMax),
    ...labelsErrors(dnsLabel, domain, at),
    ...(domain.includes(".") ? none : [invalidValue(at, domain, short)]),
    ...labelsErrors(dnsSubdomain, path, at),
    ...lengthErrors(at, path, pathCharsMax),
  ];
});
