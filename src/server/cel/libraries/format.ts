// Named formats: `format.dns1123Label().validate(text)` gives an optional list of what is wrong.
import type { Environment } from "@marcbachmann/cel-js";
import { isIP } from "node:net";
import {
  dnsLabel,
  dnsSubdomain,
  labelValue,
  qualifiedName,
  serviceName,
} from "../../../kinds/name-rules.ts";

class Formats {}

/** Everything that is wrong. */
type Check = (text: string) => readonly string[];

class Format {
  readonly check: Check;

  constructor(check: Check) {
    this.check = check;
  }
}

const pattern =
  (form: RegExp, why: string): Check =>
  (text) =>
    form.test(text) ? [] : [why];

const prefix =
  (check: Check): Check =>
  (text) =>
    check(text.replace(/-$/, "a"));

const formats: Record<string, Check> = {
  dns1123Label: dnsLabel,
  dns1123Subdomain: dnsSubdomain,
  dns1035Label: serviceName,
  qualifiedName,
  dns1123LabelPrefix: prefix(dnsLabel),
  dns1123SubdomainPrefix: prefix(dnsSubdomain),
  dns1035LabelPrefix: prefix(serviceName),
  labelValue,
  uri: (text) => (URL.canParse(text) || text.startsWith("/") ? [] : ["not a valid URI"]),
  uuid: pattern(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i, "does not match the UUID format"),
  byte: pattern(
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    "invalid base64",
  ),
  date: pattern(/^\d{4}-\d{2}-\d{2}$/, "invalid date"),
  datetime: (text) =>
    /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}/.test(text) && !Number.isNaN(Date.parse(text))
      ? []
      : ["invalid datetime"],
  ipv4: (text) => (isIP(text) === 4 ? [] : ["not an IPv4 address"]),
  ipv6: (text) => (isIP(text) === 6 ? [] : ["not an IPv6 address"]),
};

/** `some` and `none` make the evaluator's optional values. */
export function addFormat(
  environment: Environment,
  optional: { some: (value: unknown) => unknown; none: () => unknown },
) {
  environment
    .registerType("kubernetes.NamedFormats", { ctor: Formats } as never)
    .registerType("kubernetes.NamedFormat", { ctor: Format } as never)
    .registerConstant("format", "kubernetes.NamedFormats", new Formats());
  for (const [name, check] of Object.entries(formats)) {
    const format = new Format(check);
    environment.registerFunction(
      `kubernetes.NamedFormats.${name}(): kubernetes.NamedFormat`,
      () => format,
    );
  }
  environment
    .registerFunction(
      "kubernetes.NamedFormats.named(string): optional",
      (_: Formats, name: string) => {
        const check = formats[name];
        return check ? optional.some(new Format(check)) : optional.none();
      },
    )
    .registerFunction(
      "kubernetes.NamedFormat.validate(string): optional",
      ({ check }: Format, text: string) => {
        const reasons = check(text);
        return reasons.length === 0 ? optional.none() : optional.some([...reasons]);
      },
    );
}
