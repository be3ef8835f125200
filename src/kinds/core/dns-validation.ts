// How a pod finds names.
import { addressRule } from "../address-rules.ts";
import { invalidValue, required } from "../field-checks.ts";
import { looseSubdomain } from "../name-rules.ts";
import { each, fields, named, none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

const [nameserversMax, searchesMax, searchCharsMax] = [3, 32, 2048];

const atMost = (list: string[], max: number, what: string, at: string): Errors =>
  list.length > max ? [invalidValue(at, list, `must not have more than ${max} ${what}`)] : none;

const searches: Rule = (list: string[], at) => [
  ...atMost(list, searchesMax, "search paths", at),
  ...(list.join(" ").length > searchCharsMax
    ? [
        invalidValue(
          at,
          list,
          `must not have more than ${searchCharsMax} characters (including spaces) in the search list`,
        ),
      ]
    : none),
  ...list.flatMap((one, i) =>
    one === "." ? none : named(looseSubdomain)(one.replace(/\.$/, ""), `${at}[${i}]`),
  ),
];

const dnsConfig = fields({
  nameservers: (list, at) => [
    ...atMost(list, nameserversMax, "nameservers", at),
    ...each(addressRule)(list, at),
  ],
  searches,
  options: each(({ name }, at) => (name ? none : [required(at, "must not be empty")])),
});

/** Of the PodSpec at `at`. */
export function dnsErrors({ dnsPolicy, dnsConfig: config }: Any, at: string): Errors {
  const field = `${at}.dnsConfig`;
  if (dnsPolicy === "None" && !config) {
    return [required(field, "must provide `dnsConfig` when `dnsPolicy` is None")];
  }
  if (dnsPolicy === "None" && !config.nameservers?.length) {
    const why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
    return [required(`${field}.nameservers`, why)];
  }
  return config ? dnsConfig(config, field) : none;
}
