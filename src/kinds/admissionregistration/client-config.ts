// How a webhook is reached (apiserver's validation of it): also those that convert custom objects.
import { invalidValue, portNumber, required } from "../field-checks.ts";
import { dnsSubdomain } from "../name-rules.ts";
import { fields, given, needed, none, orEmpty } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const form = "; desired format: https://host[/path]";
/** Scheme, authority, what lies below, query and fragment, as Go's parser takes a URL apart. */
const parts = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

const url: Rule = (text: string, at) => {
  const match = parts.exec(text);
  // eslint-disable-next-line no-control-regex
  if (!match || /[\u0000-\u001f\u007f]/.test(text) || /[\s<>"]/.test(match[2] ?? "")) {
    return [required(at, `url must be a valid URL: parse ${JSON.stringify(text)}${form}`)];
  }
  const [, scheme = "", authority = "", query = "", fragment = ""] = match;
  const user = authority.lastIndexOf("@");
  const host = authority.slice(user + 1);
  const wrong: [boolean, string, string][] = [
    [scheme.toLowerCase() !== "https", scheme, `'https' is the only allowed URL scheme${form}`],
    [host === "", host, `host must be specified${form}`],
    [user >= 0, authority.slice(0, user), "user information is not permitted in the URL"],
    [fragment !== "", fragment, "fragments are not permitted in the URL"],
    [query !== "", query, "query parameters are not permitted in the URL"],
  ];
  return wrong.filter(([is]) => is).map(([, value, why]) => invalidValue(at, value, why));
};

const path: Rule = (text: string, at) => {
  if (text === "/") return none;
  const refuse = (why: string) => invalidValue(at, text, why);
  if (text === "//") return [refuse("segment[0] may not be empty")];
  const start = text.startsWith("/") ? none : [refuse("must start with a '/'")];
  const steps = text.slice(1).replace(/\/$/, "").split("/");
  const wrong = steps.flatMap((step, i) =>
    (step === "" ? [" may not be empty"] : dnsSubdomain(step).map((why) => `: ${why}`)).map((why) =>
      refuse(`segment[${i}]${why}`),
    ),
  );
  return [...start, ...wrong];
};

const port: Rule = (value, at) =>
  portNumber(value, at).map(() =>
    invalidValue(at, value, "port is not valid: must be between 1 and 65535, inclusive"),
  );

const service = fields({ path: given(path), port });
const name = needed();

/** What lacks a name is told to lack a namespace, and the other way round, as upstream does. */
const serviceErrors: Rule = (one, at) => [
  ...name(one.namespace, `${at}.name`),
  ...name(one.name, `${at}.namespace`),
  ...service(one, at),
];

export function clientErrors(config: any, at: string): Errors {
  const { url: text, service: of } = config ?? {};
  if ((text === undefined) === (of === undefined)) {
    return [required(at, "exactly one of url or service is required")];
  }
  return of === undefined ? orEmpty(url)(text, `${at}.url`) : serviceErrors(of, `${at}.service`);
}
