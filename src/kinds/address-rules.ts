// Addresses and ranges of them. Older fields of upstream let more pass than newer ones do: there an address may
// be written in any form.
import { canonicalAddress, isAddress, isCidr, networkOf, numberAddress } from "../lib/ip-range.ts";
import { invalidValue, wrongAddress, wrongCidr } from "./field-checks.ts";
import { none } from "./rules.ts";
import type { Errors, Rule } from "./rules.ts";

const withoutZeros = (address: string) => address.replaceAll(/(^|\.)0+(?=\d)/g, "$1");
const mapped = /^::ffff:(?=[\d.]+$|[0-9a-f]+:[0-9a-f]+$)/i;

/** Zeros in front, which some read as octal, and IPv4 that looks like IPv6, are refused in what is new. */
export const addressRule: Rule = (text: string, at) => {
  if (!isAddress(text)) {
    const isPadded = !text.includes(":") && isAddress(withoutZeros(text));
    return [invalidValue(at, text, isPadded ? "must not have leading 0s" : wrongAddress)];
  }
  if (mapped.test(text)) {
    return [invalidValue(at, text, "must not be an IPv4-mapped IPv6 address")];
  }
  return none;
};

/** In the one form that all print. */
export const canonicalAddressRule: Rule = (text: string, at) => {
  const errors = addressRule(text, at);
  if (errors.length > 0 || canonicalAddress(text) === text) return errors;
  return [invalidValue(at, text, `must be in canonical form ("${canonicalAddress(text)}")`)];
};

export const cidrRule: Rule = (text: string, at) => {
  const [address = "", bits = ""] = text.split("/");
  if (!isCidr(text)) {
    const plain = `${text.includes(":") ? address : withoutZeros(address)}/${Number(bits)}`;
    const isPadded = /^\d+$/.test(bits) && isCidr(plain);
    const why = "must not have leading 0s in IP or prefix length";
    return [invalidValue(at, text, isPadded ? why : wrongCidr)];
  }
  if (/^0\d/.test(bits)) {
    return [invalidValue(at, text, "must not have leading 0s in IP or prefix length")];
  }
  if (mapped.test(address)) {
    return [invalidValue(at, text, "must not have an IPv4-mapped IPv6 address")];
  }
  const { base, family } = networkOf(text);
  return numberAddress(base, family) === canonicalAddress(address)
    ? none
    : [invalidValue(at, text, "must not have bits set beyond the prefix length")];
};

export const canonicalCidrRule: Rule = (text: string, at) => {
  const errors = cidrRule(text, at);
  if (errors.length > 0) return errors;
  const [address = "", bits] = text.split("/");
  const canonical = `${canonicalAddress(address)}/${bits}`;
  return canonical === text
    ? none
    : [invalidValue(at, text, `must be in canonical form ("${canonical}")`)];
};

/** One of each family at most. */
export function familyErrors(list: string[], at: string, what: string): Errors {
  const isV6 = list.map((one) => one.includes(":"));
  if (list.length < 2 || (list.length === 2 && isV6[0] !== isV6[1])) return none;
  return [invalidValue(at, list, `may specify no more than one ${what} for each IP family`)];
}

/** Ranges that no service can be reached in, and what is told of them. */
const reservedRanges: [cidrs: string[], why: (address: string) => string][] = [
  [["0.0.0.0/32", "::/128"], (address) => `may not be unspecified (${address})`],
  [["127.0.0.0/8", "::1/128"], () => "may not be in the loopback range (127.0.0.0/8, ::1/128)"],
  [
    ["169.254.0.0/16", "fe80::/10"],
    () => "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
  ],
  [
    ["224.0.0.0/24", "ff02::/16"],
    () => "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
  ],
];
const reserved = reservedRanges.flatMap(([cidrs, why]) =>
  cidrs.map((cidr) => ({ network: networkOf(cidr), why })),
);

/** An address that something can be reached at. */
export const endpointAddressRule: Rule = (text: string, at) => {
  if (!isAddress(text)) return [invalidValue(at, text, "must be a valid IP address")];
  const { family, base } = networkOf(`${text}/${text.includes(":") ? 128 : 32}`);
  return reserved.flatMap(({ network, why }) =>
    network.family === family &&
    base >> BigInt(network.hostBits) === network.base >> BigInt(network.hostBits)
      ? [invalidValue(at, text, why(text))]
      : none,
  );
};
