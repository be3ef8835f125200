// What the schema cannot say of requests for certificates.
import { invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import {
  all,
  always,
  each,
  fields,
  first,
  holds,
  needed,
  none,
  oneOf,
  orEmpty,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { requestUpdateErrors } from "./update-validation.ts";
import { signerName } from "./signer-name.ts";

const usages =
  "any|cert sign|client auth|code signing|content commitment|crl sign|data encipherment|decipher only|" +
  "digital signature|email protection|encipher only|ipsec end system|ipsec tunnel|ipsec user|key agreement|" +
  "key encipherment|microsoft sgc|netscape sgc|ocsp signing|s/mime|server auth|signing|timestamping";

const secondsMin = 600;
const legacySigner = "kubernetes.io/legacy-unknown";
const pemWhy = "PEM block type must be CERTIFICATE REQUEST";

const isRequest = (text: string) =>
  Buffer.from(text, "base64").toString().includes("-----BEGIN CERTIFICATE REQUEST-----");

const request: Rule = (text: string, at) =>
  isRequest(text) ? none : [invalidValue(at, [...Buffer.from(text, "base64")], pemWhy)];

const spec = fields({
  request: orEmpty(request),
  usages: needed(all(each(oneOf(...usages.split("|"))), unique())),
  signerName: orEmpty(
    first(
      holds(
        (name) => name !== legacySigner,
        "the legacy signerName is not allowed via this API version",
      ),
      signerName,
    ),
  ),
  expirationSeconds: holds(
    (seconds) => seconds >= secondsMin,
    "may not specify a duration less than 600 seconds (10 minutes)",
  ),
});
const whole = fields({ spec: always(spec) });

/** What it asks for never changes: an update is of its status, or of metadata. */
export const certificateRequestErrors = (change: Change): Errors =>
  change.old ? requestUpdateErrors(change, change.old) : whole(change.object, "");
