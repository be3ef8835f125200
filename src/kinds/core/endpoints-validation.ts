// What the schema cannot say of where Services lead to.
import { addressRule, canonicalAddressRule, endpointAddressRule } from "../address-rules.ts";
import { duplicate, invalidValue, portNumber, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../name-rules.ts";
import {
  all,
  each,
  fields,
  given,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  orZero,
  tooMany,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { labelErrors } from "../validate-metadata.ts";

type Any = Record<string, any>;

const protocol = oneOf("SCTP", "TCP", "UDP");
const appProtocol = named(qualifiedName);

const address = fields({
  ip: orEmpty(all(addressRule, endpointAddressRule)),
  hostname: given(named(dnsLabel)),
  nodeName: named(dnsSubdomain),
});

const port = fields({
  name: given(named(dnsLabel)),
  port: orZero(portNumber),
  protocol,
  appProtocol,
});

const either = "must specify `addresses` or `notReadyAddresses`";

const subset: Rule = (one, at) => {
  const { addresses = [], notReadyAddresses = [], ports = [] } = one;
  return [
    ...(addresses.length + notReadyAddresses.length === 0 ? [required(at, either)] : none),
    ...each(address)(addresses, `${at}.addresses`),
    ...each(address)(notReadyAddresses, `${at}.notReadyAddresses`),
    ...each(port)(ports, `${at}.ports`),
    ...(ports.length > 1
      ? ports.flatMap(({ name }: Any, i: number) =>
          name ? none : [required(`${at}.ports[${i}].name`)],
        )
      : none),
  ];
};

const endpoints = fields({ subsets: each(subset) });

export const endpointsErrors = ({ object }: Change): Errors => endpoints(object, "");

const [endpointsMax, addressesMax, portsMax, hintsMax, labelsMax] = [1000, 100, 20_000, 8, 16];

const most =
  (max: number): Rule =>
  (list, at) => {
    const count = Object.keys(list).length;
    return count > max ? [tooMany(at, count, max)] : none;
  };

/** A domain of two segments or more, which may end with the root's dot. */
const domain: Rule = (text: string, at) => {
  if (text === "") return [required(at)];
  const name = text.replace(/\.$/, "");
  const reasons = dnsSubdomain(name);
  if (reasons.length > 0) return [invalidValue(at, name, reasons.join(","))];
  const parts = name.split(".");
  if (parts.length < 2) {
    const why = "should be a domain with at least two segments separated by dots";
    return [invalidValue(at, name, why)];
  }
  const wrong = parts.find((part) => dnsLabel(part).length > 0);
  return wrong ? [invalidValue(at, wrong, dnsLabel(wrong).join(","))] : none;
};

/** The family is told at the list, as upstream does. */
const ofFamily =
  (family: string, form: Rule): Rule =>
  (list: string[], at) =>
    list.flatMap((text, i) => {
      const field = `${at}[${i}]`;
      const errors = form(text, field);
      if (errors.length > 0) return errors;
      const isOther = text.includes(":") !== (family === "IPv6");
      const why = `must be an ${family} address`;
      return [
        ...(isOther ? [invalidValue(at, text, why)] : none),
        ...endpointAddressRule(text, field),
      ];
    });

const addressLists: Record<string, Rule> = {
  IPv4: ofFamily("IPv4", addressRule),
  IPv6: ofFamily("IPv6", canonicalAddressRule),
  FQDN: each(domain),
};

const hints = (rule: Rule) =>
  all(
    most(hintsMax),
    unique(({ name }) => name, ".name"),
    each(fields({ name: orEmpty(rule) })),
  );

const endpoint = fields({
  addresses: needed(most(addressesMax), "must contain at least 1 address"),
  nodeName: named(dnsSubdomain),
  deprecatedTopology: all(most(labelsMax), labelErrors),
  hostname: named(dnsLabel),
  hints: fields({ forZones: hints(named(labelValue)), forNodes: hints(named(dnsSubdomain)) }),
});

const slice = fields({
  ports: all(
    most(portsMax),
    each(fields({ name: given(named(dnsLabel)), protocol, appProtocol })),
    (ports: Any[], at) =>
      ports.flatMap(({ name = "" }, i) =>
        ports.findIndex((one) => (one["name"] ?? "") === name) < i
          ? [duplicate(`${at}[${i}].name`, name)]
          : none,
      ),
  ),
  endpoints: all(most(endpointsMax), each(endpoint)),
});

export function endpointSliceErrors({ object, old }: Change): Errors {
  const type: string = object["addressType"] ?? "";
  const list: Any[] = object["endpoints"] ?? [];
  const addresses = addressLists[type] ?? (() => none);
  return [
    ...(type
      ? supported("addressType", type, ["FQDN", "IPv4", "IPv6"])
      : [required("addressType")]),
    ...slice(object, ""),
    ...list.flatMap((one, i) =>
      one["addresses"] ? addresses(one["addresses"], `endpoints[${i}].addresses`) : none,
    ),
    ...(old && old["addressType"] !== type
      ? [invalidValue("addressType", type, "field is immutable")]
      : none),
  ];
}
